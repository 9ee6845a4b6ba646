// Applies a layer to a file tree, as the OCI image-spec (layer.md) has it. A layer is not trusted: no name in it, and no
// symbolic link that it or a layer below it made, leads outside of the tree.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import type { Header } from 'tar-stream';
import { must } from '../../machinery/must.ts';
import { ownTurn } from '../../machinery/time/turn.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type Body, readTar } from './tar.ts';

/** Of symbolic links on one path, as in Linux. */
const mostLinks = 40;
/** Of one path, with those of its links. */
const mostSteps = 1_000;
const workOfTurn = 200;
/** The length of all paths of a layer, which are kept until its end. */
const longestPaths = 128 << 20;
/** Directories whose real paths are kept. */
const mostDirectories = 10_000;

const isRoot = process.getuid?.() === 0;

/** Rejects with RuntimeError('image') when the uncompressed bytes do not have the digest `diffId`. */
export async function applyLayer(
  blob: Readable,
  tree: string,
  diffId: string,
  mostPaths = longestPaths,
): Promise<void> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const layer = new LayerWriter(tree, mostPaths);
  await readTar(blob, (header, body) => layer.write(header, body), hashing);
  await layer.finish();
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== diffId)
    throw new RuntimeError(
      'image',
      `layer is damaged: its content has digest ${digest}, the image config has ${diffId}`,
    );
}

class LayerWriter {
  readonly #tree: string;
  /** Paths of this layer: whiteouts only affect the layers below. */
  readonly #added = new Set<string>();
  /** The parent directories of those, and directories emptied by an opaque whiteout. */
  readonly #above = new Set<string>();
  readonly #emptied = new Set<string>();
  readonly #directories = new Map<string, string>();
  readonly #times = new Map<string, Date>();
  #pathsLeft: number;
  /** Entries, files taken away and steps of paths since the last turn of the event loop. */
  #work = 0;

  constructor(tree: string, mostPaths: number) {
    this.#tree = tree;
    this.#pathsLeft = mostPaths;
  }

  async write(header: Header, body: Body): Promise<void> {
    await this.#step();
    const parts = cleanParts(header.name);
    if (parts.length === 0) {
      if (header.type === 'directory') this.#attributes(this.#tree, header);
      return;
    }
    const name = must(parts.pop(), 'name');
    const parent = this.#parent(parts);
    if (name === '.wh..wh..opq') return this.#emptyBelow(parent);
    if (name.startsWith('.wh.')) return this.#whiteout(join(parent, whitedOut(name, header.name)));
    const path = join(parent, name);
    await this.#create(path, header, body);
    this.#keep(this.#added, path);
    for (let at = parent; at !== this.#tree && !this.#above.has(at); at = dirname(at)) this.#keep(this.#above, at);
  }

  /** Directories get their times last, for each file made in one changes it. */
  async finish(): Promise<void> {
    for (const [path, mtime] of this.#times) {
      await this.#step();
      try {
        fs.utimesSync(path, mtime, mtime);
      } catch {} // a later entry took it away
    }
  }

  /** Before one more piece of work. */
  async #step(): Promise<void> {
    if (++this.#work <= workOfTurn) return;
    this.#work = 0;
    await ownTurn();
  }

  #keep(paths: Set<string>, path: string): void {
    if (paths.has(path)) return;
    this.#pathsLeft -= path.length;
    if (this.#pathsLeft < 0) throw new RuntimeError('image', 'layer has too many paths');
    paths.add(path);
  }

  async #create(path: string, header: Header, body: Body): Promise<void> {
    const existing = fs.lstatSync(path, { throwIfNoEntry: false });
    if (header.type === 'directory') {
      if (existing && !existing.isDirectory()) await this.#remove(path);
      if (!existing?.isDirectory()) fs.mkdirSync(path);
      return this.#attributes(path, header);
    }
    if (existing) await this.#remove(path); // never written through: the file may be shared with another image
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        await writeBody(path, body);
        return this.#attributes(path, header);
      case 'symlink':
        fs.symlinkSync(header.linkname ?? '', path);
        if (isRoot) fs.lchownSync(path, header.uid ?? 0, header.gid ?? 0);
        if (header.mtime) fs.lutimesSync(path, header.mtime, header.mtime);
        return;
      case 'link': {
        const parts = cleanParts(header.linkname ?? '');
        const target = join(this.#parent(parts.slice(0, -1)), parts.at(-1) ?? '');
        return fs.linkSync(target, path);
      }
      case 'character-device':
      case 'block-device':
      case 'fifo':
        await makeNode(path, header);
        return this.#attributes(path, header);
      default:
        throw new RuntimeError('image', `layer has an entry of unknown type ${header.type}: ${header.name}`);
    }
  }

  #attributes(path: string, header: Header): void {
    if (isRoot) fs.chownSync(path, header.uid ?? 0, header.gid ?? 0);
    if (header.mode !== undefined) fs.chmodSync(path, header.mode & 0o7777);
    if (!header.mtime) return;
    if (header.type === 'directory') this.#times.set(path, header.mtime);
    else fs.utimesSync(path, header.mtime, header.mtime);
  }

  /** Once is enough: later entries belong to this layer. */
  async #emptyBelow(directory: string): Promise<void> {
    if (this.#emptied.has(directory)) return;
    for (const name of await fs.promises.readdir(directory)) await this.#whiteout(join(directory, name));
    this.#emptied.add(directory);
  }

  /** In a directory that this layer also has, removes the files of the layers below. */
  async #whiteout(path: string): Promise<void> {
    await this.#step();
    if (!this.#added.has(path) && !this.#above.has(path)) return this.#remove(path);
    if (fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) await this.#emptyBelow(path);
  }

  /** Asynchronous, because a directory may have a million files. */
  async #remove(path: string): Promise<void> {
    const found = fs.lstatSync(path, { throwIfNoEntry: false });
    if (!found) return;
    if (!found.isDirectory()) fs.unlinkSync(path);
    else await fs.promises.rm(path, { recursive: true, force: true });
    this.#directories.clear();
  }

  /** The real directory of a path in the tree, made when absent. Links on the way count from the tree's root. */
  #parent(parts: readonly string[]): string {
    const shown = () => parts.join('/').slice(0, 200);
    if (parts.length > mostSteps) throw new RuntimeError('image', `layer has too long a path at ${shown()}`);
    const walk = { links: 0, steps: 0, shown };
    let path = this.#tree;
    let prefix = '';
    for (const part of parts) {
      prefix += `/${part}`;
      path = this.#directories.get(prefix) ?? this.#enter(path, part, walk);
      if (this.#directories.size >= mostDirectories) this.#directories.clear();
      this.#directories.set(prefix, path);
    }
    this.#work += walk.steps;
    return path;
  }

  #enter(directory: string, part: string, walk: Walk): string {
    const todo = [part];
    let path = directory;
    for (let step = todo.pop(); step !== undefined; step = todo.pop()) {
      if (++walk.steps > mostSteps) throw new RuntimeError('image', `layer has too long a path at ${walk.shown()}`);
      if (step === '..') {
        if (path !== this.#tree) path = dirname(path);
        continue;
      }
      const next = join(path, step);
      const stat = fs.lstatSync(next, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink()) {
        if (++walk.links > mostLinks)
          throw new RuntimeError('image', `layer has too many symbolic links at ${walk.shown()}`);
        const target = fs.readlinkSync(next);
        if (target.startsWith('/')) path = this.#tree;
        todo.push(
          ...target
            .split('/')
            .filter((each) => each && each !== '.')
            .reverse(),
        );
        continue;
      }
      if (stat && !stat.isDirectory())
        throw new RuntimeError('image', `layer puts a file below a file: ${walk.shown()}`);
      if (!stat) fs.mkdirSync(next, { mode: 0o755 });
      path = next;
    }
    return path;
  }
}

interface Walk {
  links: number;
  steps: number;
  /** For errors. */
  shown(): string;
}

function cleanParts(name: string): string[] {
  const parts = name.split('/').filter((part) => part && part !== '.');
  if (parts.includes('..') || name.includes('\0'))
    throw new RuntimeError('image', `archive has a path that leads outside of it: ${JSON.stringify(name)}`);
  return parts;
}

/** The name that a whiteout takes away: one in the same directory. */
function whitedOut(name: string, path: string): string {
  const target = name.slice('.wh.'.length);
  if (['', '.', '..'].includes(target))
    throw new RuntimeError('image', `layer has a whiteout of no file: ${JSON.stringify(path)}`);
  return target;
}

async function writeBody(path: string, body: Body): Promise<void> {
  const file = fs.openSync(path, 'wx', 0o600);
  try {
    for await (const chunk of body) fs.writeSync(file, chunk);
  } finally {
    fs.closeSync(file);
  }
}

function makeNode(path: string, { type, devmajor, devminor }: Header): Promise<void> {
  if (type === 'fifo') return run('mknod', [path, 'p']);
  const kind = type === 'block-device' ? 'b' : 'c';
  return run('mknod', [path, kind, String(devmajor ?? 0), String(devminor ?? 0)]);
}

/** Fills the empty directory `to` with `from`'s files, as hard links. */
export function cloneTree(from: string, to: string): Promise<void> {
  return run('cp', ['-al', `${from}/.`, to]);
}

export async function removeTree(path: string): Promise<void> {
  await fs.promises.rm(path, { recursive: true, force: true });
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      reject(new RuntimeError('image', `${command} ${basename(args.at(-1) ?? '')}: ${stderr.trim()}`));
    });
  });
}
