// Reserved space for deletions. Any other data, such as pod files, may fill the disk and take the space that the store
// frees. So the reserve is inside the database file, as free pages of the store: ordinary writes are rejected before
// they use the last pages, and deletions continue, as in etcd with the NOSPACE alarm. (A copy-on-write file system may
// still lack space for them.)

import { randomFillSync } from 'node:crypto';
import { statfsSync } from 'node:fs';
import type { Entry, Write } from '../interface.ts';
import { type Tables, told } from './database.ts';
import { freeBytes } from './files.ts';

/** The accepted writes: all, those that add little, or those that add next to nothing. */
export type Room = 'all' | 'little' | 'least';

/** The share of the disk that ordinary writes leave free, within bounds. */
const share = 1 / 32;
const leastBytes = 128 << 10;
const mostBytes = 4 << 20;
/** Bytes that an update may add: a status, a condition, the mark of a deletion; and the mark alone. */
const littleBytes = 4_096;
const markBytes = 256;

/** With less than this free, the disk counts as full, although pages inside of the file may still take a while. */
const leastFreeBytes = 256 << 10;
export const takenWhenFull = 'only deletions and small updates are taken';
/** Transactions per flush on a full disk, which bounds the reserve. */
export const mostWhenFull = 64;
/** Interval of refilling the reserve: the store grew by its free pages. */
export const reserveEveryMs = 60_000;
const reserveKey = 'reserve';
/** The reserve repeats random data of this length: more than a file system compresses at once. */
const fillerBytes = 256 << 10;

export class Reserve {
  readonly #tables: Tables;
  readonly #directory: string;
  /** Below this many bytes, on the disk and in free pages, ordinary writes are refused. */
  readonly #floor: number;

  constructor(tables: Tables, directory: string) {
    this.#tables = tables;
    this.#directory = directory;
    const { blocks, bsize } = statfsSync(directory);
    this.#floor = Math.min(mostBytes, Math.max(leastBytes, Math.floor(blocks * bsize * share)));
  }

  get room(): Room {
    const free = freeBytes(this.#directory);
    if (free > 2 * this.#floor) return 'all';
    const left = free + this.freePageBytes;
    return left >= this.#floor ? 'all' : left >= this.#floor / 2 ? 'little' : 'least';
  }

  /** The error for writers on a full disk, otherwise undefined. */
  get problem(): string | undefined {
    const free = freeBytes(this.#directory);
    if (free >= leastFreeBytes && this.room === 'all') return undefined;
    return `the disk of ${this.#directory} is full: ${free} bytes are free, ${takenWhenFull}`;
  }

  /** Adds free pages if there are too few and the disk has space: writes a value, and removes it. */
  async fill(): Promise<void> {
    const { env, reserve } = this.#tables;
    const bytes = 2 * this.#floor;
    const isLeftOver = reserve.get(reserveKey) !== undefined;
    if (!isLeftOver && (this.freePageBytes >= bytes || freeBytes(this.#directory) < 4 * bytes)) return;
    if (!isLeftOver) {
      const filler = Buffer.alloc(bytes, randomFillSync(Buffer.allocUnsafe(fillerBytes)));
      await env.batch(() => void reserve.put(reserveKey, filler).catch(told));
      await env.flushed;
    }
    await env.batch(() => void reserve.remove(reserveKey).catch(told));
    await env.flushed;
  }

  /** Pages of the file that no tree uses. */
  get freePageBytes(): number {
    const { env, entries, history, meta, leases, reserve } = this.#tables;
    const { pageSize, lastPageNumber, root, free } = env.getStats() as Stats;
    const trees = [
      root,
      free,
      ...[entries, history, meta, leases, reserve].map((table) => table.getStats() as TreeStats),
    ];
    const used = trees.reduce(
      (sum, { treeBranchPageCount, treeLeafPageCount, overflowPages }) =>
        sum + treeBranchPageCount + treeLeafPageCount + overflowPages,
      2,
    );
    return Math.max(0, lastPageNumber + 1 - used) * pageSize;
  }
}

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface Stats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

/** Whether the space suffices for the writes of one transaction: deletions, and updates that add little. */
export function fits(writes: readonly Write[], now: (key: string) => Entry | undefined, room: Room): boolean {
  if (room === 'all') return true;
  const most = room === 'little' ? littleBytes : markBytes;
  return writes.every(({ key, value }) => {
    const previous = value && now(key);
    return value === undefined || (!!previous && value.length <= previous.value.length + most);
  });
}
