// Checks the database file before LMDB maps it into memory: LMDB trusts every byte of its pages, so a damaged one would
// crash or hang the process. The format is LMDB 1.0's with the additions of lmdb-js: two meta pages, and in the second
// half of the first one the meta of the last flushed transaction.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreUnusable } from '../interface.ts';
import { dictionary } from './dictionary.ts';
import { unpacks } from './lz4.ts';
import { checkFreeList, type Meta, readMeta, type TreeInfo, treeBytes, treeOf } from './pages.ts';

export const damaged = (where: string, why: string) =>
  new StoreUnusable(
    'damaged',
    `${where} is damaged: ${why}. Restore a backup with "coracle restore", or begin without the old data ("coracle down --delete" removes it)`,
  );

/** Bytes per read of adjacent pages. */
const readAtOnceBytes = 1 << 20;
const headerBytes = 24;
const nodeHeaderBytes = 8;
const pageFlags = { branch: 1, leaf: 2, overflow: 4 };
const nodeFlags = { bigData: 1, subData: 2 };
const compressedTables = ['entries', 'history'];
const dictionaryBytes = Buffer.byteLength(dictionary);
/** A tree of LMDB cannot be deeper. */
const deepest = 32;
/** Pages that an interrupted writer may have lost. */
const leakedPages = 256;

/** Throws StoreUnusable (`damaged`) unless every page that the last flushed transaction can reach is sound. */
export const checkDatabase = (file: string): void => void flushedPages(file);

/** As `checkDatabase`; which pages there are, 1 for each that is in use. */
export function flushedPages(file: string): { readonly used: Uint8Array; readonly lastPage: number } {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const meta = flushedMeta(descriptor, file);
    const checker = new Checker(descriptor, file, meta, Math.floor(size / meta.pageSize));
    checker.run();
    return { used: checker.used, lastPage: meta.lastPage };
  } finally {
    closeSync(descriptor);
  }
}

/** The transaction that LMDB opens if only flushed data is trusted. */
function flushedMeta(descriptor: number, file: string): Meta {
  const first = readMeta(descriptor, 0);
  if (!first) throw damaged(file, 'it does not begin as a database does');
  const second = readMeta(descriptor, first.pageSize);
  if (second?.pageSize !== first.pageSize) throw damaged(file, 'its second page is invalid');
  const older = safeOf(first, second);
  const flushed = readMeta(descriptor, first.pageSize / 2, false);
  if (flushed?.pageSize !== first.pageSize)
    throw damaged(file, 'its record of the last flushed transaction is missing or invalid');
  const safe = safeOf(older, flushed);
  // Without unflushed data, LMDB opens the newer of the two pages.
  const newest = first.transaction >= second.transaction ? first : second;
  if (newest.transaction === safe.transaction && !isSameState(newest, safe))
    throw damaged(file, `its two descriptions of transaction ${safe.transaction} differ`);
  return safe;
}

const isSameState = (a: Meta, b: Meta): boolean =>
  a.lastPage === b.lastPage && isSameTree(a.free, b.free) && isSameTree(a.main, b.main);
const isSameTree = (a: TreeInfo, b: TreeInfo): boolean =>
  a.root === b.root && a.depth === b.depth && a.entries === b.entries;

function safeOf(a: Meta, b: Meta): Meta {
  if (b.transaction === 0) return a;
  const [newer, older] = a.transaction >= b.transaction ? [a, b] : [b, a];
  if (newer.flushed) return newer;
  return a.transaction > b.transaction ? older : a;
}

/** A page of the current level, with the smallest key that it may hold. */
interface Reference {
  readonly page: number;
  readonly low: Buffer | undefined;
}

class Checker {
  readonly #descriptor: number;
  readonly #file: string;
  readonly #meta: Meta;
  readonly used: Uint8Array;

  constructor(descriptor: number, file: string, meta: Meta, pages: number) {
    this.#descriptor = descriptor;
    this.#file = file;
    this.#meta = meta;
    this.used = new Uint8Array(pages).fill(1, 0, 2);
  }

  run(): void {
    const { free, main, lastPage } = this.#meta;
    const tables: { name: string; tree: TreeInfo }[] = [];
    const freeLists: Buffer[] = [];
    this.#checkTree('main', main, (key, value, isTable) => {
      const name = key.toString('latin1').replace(/\0$/, '');
      if (!isTable || value.length !== treeBytes) throw this.#damaged(`the table ${JSON.stringify(name)} is none`);
      const tree = treeOf(value);
      if (tree.flags !== 0) throw this.#damaged(`the table ${JSON.stringify(name)} has flags that it cannot have`);
      tables.push({ name, tree });
    });
    this.#checkTree('free pages', free, (_, value) => void freeLists.push(Buffer.from(value)));
    const texts = new Map<string, string>();
    for (const { name, tree } of tables)
      if (name === 'meta')
        this.#checkTree(name, tree, (key, value) => void texts.set(key.toString('latin1'), value.toString('latin1')));
    const isCompressed = texts.get('format') !== '1' && texts.get('compression') !== 'none';
    for (const { name, tree } of tables)
      if (name !== 'meta')
        this.#checkTree(name, tree, (key, value) => {
          if (isCompressed && compressedTables.includes(name) && !unpacks(value, dictionaryBytes))
            throw this.#damaged(`the record ${shown(key)} of ${name} cannot be unpacked`);
        });
    const fault = checkFreeList(freeLists, this.used, lastPage, leakedPages);
    if (fault) throw this.#damaged(fault);
  }

  #damaged(why: string): StoreUnusable {
    return damaged(this.#file, why);
  }

  /** Level by level, so that leaves are read in file order. */
  #checkTree(name: string, tree: TreeInfo, visit?: (key: Buffer, value: Buffer, isTable: boolean) => void): void {
    if (tree.depth === 0) {
      if (tree.entries !== 0) throw this.#damaged(`${name} has no pages but ${tree.entries} records`);
      return;
    }
    if (tree.depth > deepest) throw this.#damaged(`${name} is ${tree.depth} pages deep`);
    let level: Reference[] = [{ page: tree.root, low: undefined }];
    for (let depth = 1; depth < tree.depth; depth++) {
      const children: Reference[][] = level.map(() => []);
      this.#readAll(name, level, (page, index) => {
        children[index] = this.#branch(name, page, level[index]);
      });
      level = children.flat();
      if (name !== 'free pages') this.#checkOrder(name, level);
    }
    let entries = 0;
    this.#readAll(name, level, (page, index) => {
      entries += this.#leaf(name, page, level[index], level[index + 1]?.low, visit);
    });
    if (entries !== tree.entries) throw this.#damaged(`${name} has ${entries} records of ${tree.entries}`);
  }

  #checkOrder(name: string, level: readonly Reference[]): void {
    for (let i = 2; i < level.length; i++) {
      const { low } = level[i];
      const before = level[i - 1].low;
      if (low && before && Buffer.compare(before, low) >= 0)
        throw this.#damaged(`${name} is not in order at ${shown(low)}`);
    }
  }

  #readAll(name: string, level: readonly Reference[], take: (page: Buffer, index: number) => void): void {
    const { pageSize } = this.#meta;
    const order = level.map((_, index) => index).sort((a, b) => level[a].page - level[b].page);
    const bytes = Buffer.allocUnsafe(readAtOnceBytes);
    let first = 0;
    let count = 0;
    for (const [at, index] of order.entries()) {
      const { page, low } = level[index];
      this.#claim(name, page, 1, low);
      if (page >= first + count) {
        first = page;
        const last = level[order[Math.min(at + readAtOnceBytes / pageSize, order.length) - 1]].page;
        const wanted = Math.min(readAtOnceBytes, (last - first + 1) * pageSize);
        count = Math.floor(readSync(this.#descriptor, bytes, 0, wanted, first * pageSize) / pageSize);
        if (count < 1) throw this.#damaged(`page ${page} of ${name} cannot be read`);
      }
      const offset = (page - first) * pageSize;
      take(bytes.subarray(offset, offset + pageSize), index);
    }
  }

  /** Each page belongs to one place only. */
  #claim(name: string, page: number, count: number, low: Buffer | undefined): void {
    if (!(page >= 2 && page + count - 1 <= this.#meta.lastPage))
      throw this.#damaged(`${name} refers to page ${page}, which does not exist (near ${shown(low)})`);
    if (page + count > this.used.length)
      throw this.#damaged(
        `it has ${this.used.length} pages, and ${name} refers to page ${page + count - 1}: it was cut off`,
      );
    for (let i = page; i < page + count; i++) {
      if (this.used[i]) throw this.#damaged(`page ${i} is used twice (${name}, near ${shown(low)})`);
      this.used[i] = 1;
    }
  }

  /** Checks the header and returns where the nodes of the page begin. */
  #nodes(name: string, page: Buffer, { page: number, low }: Reference, flags: number): number[] {
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const isSound =
      Number(page.readBigUInt64LE(0)) === number &&
      Number(page.readBigUInt64LE(8)) <= this.#meta.transaction &&
      (page.readUInt16LE(18) & 0xff) === flags &&
      lower % 2 === 0 &&
      lower <= upper &&
      headerBytes + upper <= page.length;
    if (!isSound) throw this.#damaged(`page ${number} of ${name} is invalid (near ${shown(low)})`);
    return Array.from({ length: lower / 2 }, (_, i) => {
      const node = page.readUInt16LE(headerBytes + 2 * i);
      const at = headerBytes + node;
      const ends = at + nodeHeaderBytes + (at + nodeHeaderBytes <= page.length ? page.readUInt16LE(at + 6) : 0);
      if (node < upper || ends > page.length)
        throw this.#damaged(`a record in page ${number} of ${name} is invalid (near ${shown(low)})`);
      return at;
    });
  }

  #branch(name: string, page: Buffer, reference: Reference): Reference[] {
    return this.#nodes(name, page, reference, pageFlags.branch).map((at, i) => {
      const child = page.readUInt16LE(at) + page.readUInt16LE(at + 2) * 2 ** 16 + page.readUInt16LE(at + 4) * 2 ** 32;
      const low = i === 0 ? reference.low : keyAt(page, at);
      return { page: child, low: low && Buffer.from(low) };
    });
  }

  #leaf(
    name: string,
    page: Buffer,
    reference: Reference,
    next: Buffer | undefined,
    visit?: (key: Buffer, value: Buffer, isTable: boolean) => void,
  ): number {
    const nodes = this.#nodes(name, page, reference, pageFlags.leaf);
    let previous: Buffer | undefined;
    for (const at of nodes) {
      const key = keyAt(page, at);
      const outOfOrder =
        (previous ? Buffer.compare(previous, key) >= 0 : reference.low && Buffer.compare(reference.low, key) > 0) ||
        (next && Buffer.compare(key, next) >= 0);
      // Free pages are listed by transaction, in the machine's byte order.
      if (outOfOrder && name !== 'free pages') throw this.#damaged(`${name} is not in order at ${shown(key)}`);
      previous = key;
      const flags = page.readUInt16LE(at + 4);
      const size = page.readUInt16LE(at) + page.readUInt16LE(at + 2) * 2 ** 16;
      const begin = at + nodeHeaderBytes + key.length;
      const isBig = flags === nodeFlags.bigData;
      const isTable = flags === nodeFlags.subData;
      if ((flags !== 0 && !isBig && !isTable) || begin + (isBig ? 24 : size) > page.length)
        throw this.#damaged(`the record ${shown(key)} of ${name} is invalid`);
      if (isBig) {
        const value = this.#overflow(name, key, page.subarray(begin, begin + 24), size);
        visit?.(key, value, false);
      } else visit?.(key, page.subarray(begin, begin + size), isTable);
    }
    return nodes.length;
  }

  #overflow(name: string, key: Buffer, reference: Buffer, size: number): Buffer {
    const { pageSize } = this.#meta;
    const first = Number(reference.readBigUInt64LE(0));
    const count = Math.ceil((headerBytes + size) / pageSize);
    this.#claim(name, first, count, key);
    const bytes = Buffer.alloc(headerBytes + size);
    readSync(this.#descriptor, bytes, 0, bytes.length, first * pageSize);
    const isSound =
      Number(bytes.readBigUInt64LE(0)) === first &&
      (bytes.readUInt16LE(18) & pageFlags.overflow) !== 0 &&
      bytes.readUInt32LE(20) === count;
    if (!isSound) throw this.#damaged(`the pages of the record ${shown(key)} of ${name} are not as they must be`);
    return bytes.subarray(headerBytes);
  }
}

const keyAt = (page: Buffer, at: number): Buffer =>
  page.subarray(at + nodeHeaderBytes, at + nodeHeaderBytes + page.readUInt16LE(at + 6));

const shown = (key: Buffer | undefined): string => (key ? JSON.stringify(key.toString('utf8')) : 'its beginning');
