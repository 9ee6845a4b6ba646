// Reads the manifests of static pods: one file, or the files of a directory. No entry of the directory can make a reading
// hang, and an invalid file does not stop the others.

import { constants } from 'node:fs';
import { type FileHandle, open, opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import { fullName } from './pod-source.ts';
import { staticPod } from './static-pod.ts';

/** The API takes no larger pod. */
export const mostBytes = 3 << 20;
/** Of a directory: files that are read, and entries that are looked at. */
export const mostFiles = 1000;
const mostEntries = 20_000;

interface Manifest {
  /** A file with another content has another identity. */
  readonly identity: string;
  readonly pod?: Pod;
  readonly fault?: string;
}

export class Manifests {
  readonly #place: string;
  readonly #nodeName: string;
  readonly #logger: Logger;
  #byFile = new Map<string, Manifest>();
  /** The last faults that are not of one file's content, by their subject: each is logged once. */
  #faults = new Map<string, string>();

  constructor(place: string, nodeName: string, logger: Logger) {
    this.#place = place;
    this.#nodeName = nodeName;
    this.#logger = logger;
  }

  /**
   * The pods, or undefined if the place cannot be read: then nothing is known about them. A file that has become invalid
   * still counts with its former pod, for it may be half written, unless `isConfirmed`.
   */
  async read(isConfirmed: boolean): Promise<readonly Pod[] | undefined> {
    const faults = new Map<string, string>();
    const files = await this.#files(faults);
    if (files) {
      const next = new Map<string, Manifest>();
      for (const file of files) {
        const manifest = await this.#readFile(file, isConfirmed, faults);
        if (manifest) next.set(file, manifest);
      }
      this.#byFile = next;
    }
    const pods = files && this.#distinct(faults);
    this.#report(faults);
    return pods;
  }

  async #files(faults: Map<string, string>): Promise<readonly string[] | undefined> {
    const place = this.#place;
    try {
      const found = await stat(place);
      if (found.isFile()) return [place];
      if (found.isDirectory()) return await this.#filesIn(place, faults);
      faults.set(place, 'path is not a directory or file');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        faults.set(place, 'path does not exist, ignoring');
        return [];
      }
      faults.set(place, (error as Error).message);
    }
    return undefined;
  }

  async #filesIn(directory: string, faults: Map<string, string>): Promise<readonly string[]> {
    const names: string[] = [];
    let entries = 0;
    for await (const { name } of await opendir(directory)) {
      if (++entries > mostEntries) break;
      if (!name.startsWith('.')) names.push(name);
    }
    if (entries > mostEntries || names.length > mostFiles)
      faults.set(directory, `more than ${mostFiles} manifests: only the first ${mostFiles} are read`);
    return names
      .sort()
      .slice(0, mostFiles)
      .map((name) => path.join(directory, name));
  }

  async #readFile(file: string, isConfirmed: boolean, faults: Map<string, string>): Promise<Manifest | undefined> {
    const former = this.#byFile.get(file);
    try {
      const found = await stat(file, { bigint: true });
      if (!found.isFile()) {
        faults.set(file, found.isDirectory() ? 'is a directory, which is not searched' : 'is not a regular file');
        return undefined;
      }
      const identity = [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join();
      if (former?.identity === identity && !(former.fault && former.pod && isConfirmed)) return former;
      await nextTurn();
      return this.#parse(file, identity, await contentOf(file), isConfirmed ? undefined : former?.pod);
    } catch (error) {
      // Between the listing and the reading, as editors do it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') faults.set(file, (error as Error).message);
      return undefined;
    }
  }

  #parse(file: string, identity: string, text: string | undefined, former: Pod | undefined): Manifest {
    let fault = `the file has more than ${mostBytes} bytes`;
    try {
      if (text !== undefined) return { identity, pod: staticPod(text, { place: file, nodeName: this.#nodeName }) };
    } catch (error) {
      fault = (error as Error).message;
    }
    this.#logger.error('static pod not read', { file, error: fault });
    return { identity, fault, ...(former && { pod: former }) };
  }

  /** One pod per name and uid: as in Kubernetes, the last file of a name counts. */
  #distinct(faults: Map<string, string>): readonly Pod[] {
    const byName = new Map<string, { file: string; pod: Pod }>();
    for (const [file, { pod }] of this.#byFile) {
      if (!pod) continue;
      const name = fullName(pod);
      const other = byName.get(name);
      if (other) faults.set(other.file, `duplicate pod name ${JSON.stringify(name)}: ${file} replaces it`);
      byName.set(name, { file, pod });
    }
    const byUid = new Map<string, Pod>();
    for (const { file, pod } of byName.values()) {
      const other = byUid.get(pod.metadata.uid);
      if (other) faults.set(file, `duplicate uid ${pod.metadata.uid}: pod ${fullName(other)} has it`);
      else byUid.set(pod.metadata.uid, pod);
    }
    return [...byUid.values()];
  }

  #report(faults: Map<string, string>): void {
    for (const [file, error] of faults)
      if (this.#faults.get(file) !== error) this.#logger.error('static pod not read', { file, error });
    this.#faults = faults;
  }
}

/** Undefined for a file that is too large. A FIFO or a device in the place of the file would block a plain reading. */
async function contentOf(file: string): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!(await handle.stat()).isFile()) throw new Error('is not a regular file');
    return await boundedText(handle);
  } finally {
    await handle.close();
  }
}

async function boundedText(handle: FileHandle): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(64 << 10));
    if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
    chunks.push(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
    if (bytes > mostBytes) return undefined;
  }
}
