// The image coracle.local/hello: made on first use from the programs of this machine, so that a first workload needs no
// registry. All its tags are the same image.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { RuntimeError } from '../runtime-error.ts';
import { files } from './hello-files.ts';
import type { ImageConfig, ImageRecord, ImageStore } from './image-store.ts';
import { architecture } from './platform.ts';
import { normalizeReference } from './reference.ts';

const repository = 'coracle.local/hello';
const searchPath = ['/bin', '/usr/bin', '/sbin', '/usr/sbin'];

/** Programs for users of `kubectl exec`; missing ones are skipped. */
const programs =
  'sh bash cat ls env echo sleep date id hostname head tail grep sed printf pwd mkdir rm cp mv ln chmod touch true false stat wc tr seq uname df du sort uniq cut tee dd test stty tty ps kill nproc readlink mount ip'.split(
    ' ',
  );
/** Loaded by name at run time, so no program lists them. */
const loadedLibraries = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

const config: ImageConfig = {
  Entrypoint: ['node', '/hello/server.js'],
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  WorkingDir: '/hello',
  StopSignal: 'SIGTERM',
};

export function isHello(reference: string): boolean {
  return reference === repository || reference.startsWith(`${repository}:`);
}

/** Concurrent calls share one build. */
const making = new Map<string, Promise<ImageRecord>>();

/** The image under the tag of `reference`, made on first use (about a second). */
export function ensureHello(store: ImageStore, reference: string): Promise<ImageRecord> {
  const key = `${store.directory} ${reference}`;
  let image = making.get(key);
  if (!image) making.set(key, (image = ensure(store, reference).finally(() => making.delete(key))));
  return image;
}

async function ensure(store: ImageStore, reference: string): Promise<ImageRecord> {
  const { canonical } = normalizeReference(reference);
  const existing = store.find(canonical);
  if (existing && fs.existsSync(store.rootfs(existing))) return existing;
  const identity = JSON.stringify({ architecture, os: 'linux', node: process.version, config, files });
  const content = Buffer.from(identity);
  const { digest } = await store.putBlob(content);
  const snapshot = createHash('sha256').update(digest).digest('hex');
  await store.snapshot(snapshot, makeTree);
  return store.addRecord({
    id: digest,
    manifestDigest: digest,
    snapshot,
    config,
    sizeBytes: fs.statSync(process.execPath).size,
    repoTags: [canonical],
    repoDigests: [`${repository}@${digest}`],
    blobs: [digest],
  });
}

async function makeTree(tree: string): Promise<void> {
  for (const directory of [
    'usr/bin',
    'usr/local/bin',
    'etc',
    'proc',
    'sys',
    'dev',
    'run',
    'var',
    'root',
    'hello',
    'home',
  ])
    fs.mkdirSync(join(tree, directory), { recursive: true, mode: 0o755 });
  for (const link of ['bin', 'sbin']) fs.symlinkSync('usr/bin', join(tree, link));
  fs.symlinkSync('../run', join(tree, 'var/run'));
  for (const directory of ['tmp', 'var/tmp']) {
    fs.mkdirSync(join(tree, directory));
    fs.chmodSync(join(tree, directory), 0o1777);
  }
  for (const [path, { content, mode = 0o644 }] of Object.entries(files))
    fs.writeFileSync(join(tree, path), content, { mode });
  const sources = new Map<string, string>([[process.execPath, '/usr/local/bin/node']]);
  for (const name of programs) {
    const found = searchPath.map((directory) => join(directory, name)).find((path) => fs.existsSync(path));
    if (found) sources.set(found, `/usr/bin/${name}`);
  }
  for (const [from, to] of sources) take(from, join(tree, to));
  for (const library of await librariesOf([...sources.keys()])) take(library, join(tree, library));
}

/** The shared libraries of these programs, and the dynamic linker, by path. */
async function librariesOf(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const libraries = new Set<string>();
  const ldd = await promisify(execFile)('ldd', paths as string[]).catch((error) => error as { stdout?: string });
  for (const [, path] of (ldd.stdout ?? '').matchAll(/(\/\S+) \(0x/g)) libraries.add(path);
  if (libraries.size === 0)
    throw new RuntimeError('image', `cannot make ${repository}: ldd did not list the libraries of ${paths[0]}`);
  const directory = dirname([...libraries].find((path) => path.includes('libc.so')) ?? '/lib');
  for (const name of loadedLibraries) if (fs.existsSync(join(directory, name))) libraries.add(join(directory, name));
  return libraries;
}

/** A hard link where the file system allows, for the image is read-only; a copy (sharing blocks if it can) elsewhere. */
function take(from: string, to: string): void {
  if (fs.existsSync(to)) return;
  fs.mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  const source = fs.realpathSync(from);
  try {
    fs.linkSync(source, to);
  } catch {
    fs.copyFileSync(source, to, fs.constants.COPYFILE_FICLONE);
  }
}
