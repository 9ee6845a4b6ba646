// JSON Patch, RFC 6902, with the deviations of evanphx/json-patch, which Kubernetes uses: an index may count from the
// end, and the size added by copies is bounded.

import { deepEqual } from '../collections/equal.ts';
import { setOwn } from '../collections/own.ts';
import { type Fields, fieldsIn, isFields } from '../parsed.ts';
import { finish, type Steps } from '../time/steps.ts';
import { PatchError } from './patch-error.ts';

/** Bytes of JSON that the copies of one patch may add (Kubernetes: JSONPatchMaxCopyBytes). */
const mostCopiedBytes = 3 << 20;

/** A patched copy of `document`. Throws PatchError: `untrue` for a failed test, `unappliable` for others. */
export const applyJsonPatch = (document: object, patch: readonly unknown[]): object =>
  finish(applyingJsonPatch(document, patch));

/** Operations that a patch may have, as in Kubernetes. */
export const mostOperations = 10_000;

/** Operations in one step: each may move all of a long list. */
const operationsInStep = 256;

/** The same in steps. */
export function* applyingJsonPatch(document: object, patch: readonly unknown[]): Steps<object> {
  const patching = new Patching(document);
  for (const [index, operation] of patch.entries()) {
    if (index % operationsInStep === operationsInStep - 1) yield;
    patching.apply(operation);
  }
  return patching.root;
}

const fail = (message: string) => new PatchError('unappliable', message);

/** Containers are copied when they are first changed and changed in place from then on; the rest stays shared. */
class Patching {
  root: Container;
  readonly #own = new Set<object>();
  #copiedBytes = 0;

  constructor(document: object) {
    this.root = this.#owned(document);
  }

  apply(operation: unknown): void {
    const { op, path, from, value = null } = fieldsIn(operation);
    switch (op) {
      case 'add':
        return add(
          this.#place(path, `add operation does not apply: doc is missing path: "${path}"`),
          value,
          `error in add for path: '${path}'`,
        );
      case 'remove':
        return remove(
          this.#place(path, `remove operation does not apply: doc is missing path: "${path}"`),
          `error in remove for path: '${path}'`,
        );
      case 'replace':
        return this.#replace(path, value);
      case 'move':
        return this.#move(from, path);
      case 'copy':
        return this.#copy(from, path);
      case 'test':
        return this.#test(path, value);
      default:
        throw fail(`Unexpected kind: ${op}`);
    }
  }

  #test(path: unknown, value: unknown): void {
    let found: unknown = this.root;
    if (path !== '') {
      const place = this.#place(path, `test operation does not apply: is missing path: ${path}`);
      found = read(place, `error in test for path: '${path}'`) ?? null;
    }
    if (!deepEqual(found, value)) throw new PatchError('untrue', `testing value ${path} failed: test failed`);
  }

  #replace(path: unknown, value: unknown): void {
    if (path === '') {
      if (typeof value !== 'object' || value === null) throw fail('replace operation value must be object or array');
      this.root = this.#owned(value);
      return;
    }
    const { container, key } = this.#place(path, `replace operation does not apply: doc is missing path: ${path}`);
    // Setting a key of an object may add it.
    if (!Array.isArray(container)) return setOwn(container, key, value);
    const index = indexIn(container.length, key);
    if (typeof index === 'string')
      throw fail(`replace operation does not apply: doc is missing key: ${path}: missing value`);
    container[index] = value;
  }

  #move(from: unknown, path: unknown): void {
    const source = this.#place(from, `move operation does not apply: doc is missing from path: ${from}`);
    const why = `error in move for path: '${source.key}'`;
    const value = read(source, why);
    remove(source, why);
    // The target must not be inside the moved value, which is already removed.
    const target = this.#place(path, `move operation does not apply: doc is missing destination path: ${path}`);
    add(target, value, `error in move for path: '${path}'`);
  }

  #copy(from: unknown, path: unknown): void {
    const source = this.#place(from, `copy operation does not apply: doc is missing from path: ${from}`);
    // A missing value is copied as null.
    const value = read(source, `error in copy for from: '${from}'`) ?? null;
    const target = this.#place(path, `copy operation does not apply: doc is missing destination path: ${path}`);
    add(target, this.#copied(value), 'error while adding value during copy');
  }

  /** The container of the last segment, made changeable together with its ancestors. */
  #place(path: unknown, why: string): Place {
    const segments = pointer(path);
    if (!segments.length) throw fail(`${why}: missing value`);
    let container = this.root;
    for (const segment of segments.slice(0, -1)) {
      const at = Array.isArray(container) ? indexIn(container.length, segment) : segment;
      const inner = valueIn(container, at);
      if (typeof inner !== 'object' || inner === null) throw fail(`${why}: missing value`);
      const owned = this.#owned(inner);
      if (owned !== inner) setOwn(container, at as string, owned);
      container = owned;
    }
    return { container, key: segments[segments.length - 1] as string };
  }

  #owned(container: object): Container {
    if (this.#own.has(container)) return container as Container;
    const copy: Container = Array.isArray(container) ? [...container] : { ...container };
    this.#own.add(copy);
    return copy;
  }

  /** A deep copy, so that later changes of one do not affect the other. */
  #copied(value: unknown): unknown {
    const text = JSON.stringify(value);
    this.#copiedBytes += text.length;
    if (this.#copiedBytes > mostCopiedBytes)
      throw fail(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedBytes}, exceeding the limit ${mostCopiedBytes}`,
      );
    return cloned(value);
  }
}

function cloned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloned);
  if (!isFields(value)) return value;
  const out: Fields = {};
  for (const key of Object.keys(value)) setOwn(out, key, cloned(value[key]));
  return out;
}

type Container = unknown[] | Fields;

const valueIn = (container: Container, at: string | number): unknown =>
  Object.hasOwn(container, at) ? (container as Record<string | number, unknown>)[at] : undefined;

interface Place {
  readonly container: Container;
  readonly key: string;
}

function add({ container, key }: Place, value: unknown, why: string): void {
  if (!Array.isArray(container)) return setOwn(container, key, value);
  const index = key === '-' ? container.length : indexIn(container.length + 1, key);
  if (typeof index === 'string')
    throw fail(`${why}: ${isIndex(key) ? '' : `value was not a proper array index: '${key}': `}${index}`);
  container.splice(index, 0, value);
}

function remove({ container, key }: Place, why: string): void {
  if (Array.isArray(container)) {
    const index = indexIn(container.length, key);
    if (typeof index === 'string') throw fail(`${why}: ${index}`);
    container.splice(index, 1);
  } else if (Object.hasOwn(container, key)) delete container[key];
  else throw fail(`${why}: Unable to remove nonexistent key: ${key}: missing value`);
}

/** Undefined for a missing key of an object. */
function read({ container, key }: Place, why: string): unknown {
  const at = Array.isArray(container) ? indexIn(container.length, key) : key;
  if (Array.isArray(container) && typeof at === 'string') throw fail(`${why}: ${at}`);
  return valueIn(container, at);
}

/** No segments for an invalid pointer. */
function pointer(text: unknown): string[] {
  if (typeof text !== 'string' || !text.startsWith('/')) return [];
  const segments = text.slice(1).split('/');
  return text.includes('~') ? segments.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')) : segments;
}

const isIndex = (key: string) => /^[-+]?\d{1,15}$/.test(key);

/** The index, or the error as a text. */
function indexIn(length: number, key: string): number | string {
  if (!isIndex(key)) return `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`;
  const index = Number(key);
  if (index >= length || index < -length) return `Unable to access invalid index: ${index}: invalid index referenced`;
  return index < 0 ? index + length : index;
}
