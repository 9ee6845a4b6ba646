// Room for writes that free room. A full disk may be full of anything, such as the files of pods, and what the store would
// give back to it would be taken by others. So the reserve lies inside of the database's own file, as free pages, which
// are the store's alone: ordinary writes are refused before they take the last of them, and deletions go on, as with etcd
// behind its NOSPACE alarm. (A file system that copies on write may still have no room for them.)

import { randomFillSync } from 'node:crypto';
import { statfsSync } from 'node:fs';
import type { Entry, Write } from '../interface.ts';
import { type Tables, told } from './database.ts';
import { freeBytes } from './files.ts';

/** Which writes are taken: all, those that add little, or those that add next to nothing. */
export type Room = 'all' | 'little' | 'least';

/** What ordinary writes leave: a share of the disk, within bounds. */
const share = 1 / 32;
const leastBytes = 128 << 10;
const mostBytes = 4 << 20;
/** Bytes that an update may add: a status, a condition, the mark of a deletion; and the mark alone. */
const littleBytes = 4_096;
const markBytes = 256;

/** With less than this free, the disk counts as full, although pages inside of the file may still take a while. */
const leastFreeBytes = 256 << 10;
export const takenWhenFull = 'only deletions and small updates are taken';
/** Transactions of one flush, so that the reserve need not hold more. */
export const mostWhenFull = 64;
/** How often the reserve is filled again: what the store grew by came from its free pages. */
export const reserveEveryMs = 60_000;
const reserveKey = 'reserve';

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

  /** What a full disk means for writers, undefined while it is not. */
  get problem(): string | undefined {
    const free = freeBytes(this.#directory);
    if (free >= leastFreeBytes && this.room === 'all') return undefined;
    return `the disk of ${this.#directory} is full: ${free} bytes are free, ${takenWhenFull}`;
  }

  /** Makes free pages where there are too few and the disk has many: a value is written, and removed. */
  async fill(): Promise<void> {
    const { env, reserve } = this.#tables;
    const bytes = 2 * this.#floor;
    const isLeftOver = reserve.get(reserveKey) !== undefined;
    if (!isLeftOver && (this.freePageBytes >= bytes || freeBytes(this.#directory) < 4 * bytes)) return;
    if (!isLeftOver) {
      // Not zeros, for which some file systems take no room.
      const filler = randomFillSync(Buffer.allocUnsafe(bytes));
      await env.batch(() => void reserve.put(reserveKey, filler).catch(told));
      await env.flushed;
    }
    await env.batch(() => void reserve.remove(reserveKey).catch(told));
    await env.flushed;
  }

  /** Pages of the file that no tree uses. */
  get freePageBytes(): number {
    const { env, entries, history, meta, leases, reserve } = this.#tables;
    const { pageSize, lastPageNumber, root, free } = env.getStats() as unknown as Stats;
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

/** Whether there is room for the writes of one transaction: deletions, and updates that add little. */
export function fits(writes: readonly Write[], now: (key: string) => Entry | undefined, room: Room): boolean {
  if (room === 'all') return true;
  const most = room === 'little' ? littleBytes : markBytes;
  return writes.every(({ key, value }) => {
    const previous = value && now(key);
    return value === undefined || (!!previous && value.length <= previous.value.length + most);
  });
}
