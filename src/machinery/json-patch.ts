// JSON Patch, RFC 6902, with the habits of evanphx/json-patch, which Kubernetes uses: an index may count from the end, and
// what copies add is bounded.

import { deepEqual } from './equal.ts';
import { setOwn } from './own.ts';
import { PatchError } from './patch-error.ts';

/** Bytes of JSON that the copies of one patch may add (Kubernetes: JSONPatchMaxCopyBytes). */
const mostCopiedBytes = 3 << 20;
const operations = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

/** A patched copy of `document`. Throws PatchError('unappliable') when an operation is unknown or does not fit. */
export function applyJsonPatch(document: any, patch: readonly any[]): any {
  const patching = new Patching(document);
  for (const operation of patch) patching.apply(operation);
  return patching.root;
}

const fail = (message: string) => new PatchError('unappliable', message);

/** Containers are copied when they are first changed and changed in place from then on; the rest stays shared. */
class Patching {
  root: any;
  readonly #own = new Set<object>();
  #copiedBytes = 0;

  constructor(document: any) {
    this.root = this.#owned(document);
  }

  apply(operation: any): void {
    const { op, value = null } = operation ?? {};
    if (!operations.includes(op)) throw fail(`Unexpected kind: ${op}`);
    const path = pointer(operation.path);
    if (op === 'test') return this.#test(path, value, operation.path);
    if (path.length === 0) {
      if (op !== 'replace') throw fail(`${op} operation does not apply: doc is missing path: ""`);
      if (typeof value !== 'object' || value === null) throw fail('replace operation value must be object or array');
      this.root = this.#owned(value);
    } else if (op === 'add') this.#add(path, value);
    else if (op === 'remove') this.#remove(path);
    else if (op === 'replace') this.#replace(path, value);
    else {
      const from = pointer(operation.from);
      const found = this.#get(from);
      // What is not there is copied as null.
      if (op === 'copy') this.#add(path, this.#copy(found ?? null));
      else {
        if (isInside(path, from)) throw fail(`${operation.from} cannot be moved into itself`);
        this.#remove(from);
        this.#add(path, found);
      }
    }
  }

  #test(path: readonly string[], value: unknown, shown: string): void {
    const found = path.length ? (this.#get(path) ?? null) : this.root;
    if (!deepEqual(found, value)) throw fail(`testing value ${shown} failed`);
  }

  #add(path: readonly string[], value: unknown): void {
    const { container, key } = this.#container(path);
    if (!Array.isArray(container)) return setOwn(container, key, value);
    const index = key === '-' ? container.length : indexIn(container.length + 1, key);
    container.splice(index, 0, value);
  }

  #remove(path: readonly string[]): void {
    const { container, key } = this.#container(path);
    if (Array.isArray(container)) container.splice(indexIn(container.length, key), 1);
    else if (Object.hasOwn(container, key)) delete container[key];
    else throw fail(`Unable to remove nonexistent key: ${key}`);
  }

  #replace(path: readonly string[], value: unknown): void {
    const { container, key } = this.#container(path);
    if (Array.isArray(container)) container[indexIn(container.length, key)] = value;
    else setOwn(container, key, value); // even if it is not there yet
  }

  /** What holds the last segment, made changeable together with all that holds it. */
  #container(path: readonly string[]): { container: any; key: string } {
    if (path.length === 0) throw fail('the whole document cannot be replaced');
    let container = this.root;
    for (const segment of path.slice(0, -1)) {
      const at = Array.isArray(container) ? indexIn(container.length, segment) : segment;
      const inner = Object.hasOwn(container, at) ? container[at] : undefined;
      if (typeof inner !== 'object' || inner === null) throw fail(`doc is missing path: /${path.join('/')}`);
      const owned = this.#owned(inner);
      if (owned !== inner) setOwn(container, at as string, owned);
      container = owned;
    }
    return { container, key: path[path.length - 1] };
  }

  /** Undefined for a key that its object does not have; throws for all else that is not there. */
  #get(path: readonly string[]): any {
    let value = this.root;
    for (const segment of path) {
      if (typeof value !== 'object' || value === null) throw fail(`doc is missing path: /${path.join('/')}`);
      const at = Array.isArray(value) ? indexIn(value.length, segment) : segment;
      value = Object.hasOwn(value, at) ? value[at] : undefined;
    }
    return value;
  }

  #owned(container: any): any {
    if (this.#own.has(container)) return container;
    const copy = Array.isArray(container) ? [...container] : { ...container };
    this.#own.add(copy);
    return copy;
  }

  /** A copy of its own, so that a change of one is none of the other. */
  #copy(value: unknown): unknown {
    const text = JSON.stringify(value);
    this.#copiedBytes += text.length;
    if (this.#copiedBytes > mostCopiedBytes)
      throw fail(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedBytes}, exceeding the limit ${mostCopiedBytes}`,
      );
    return cloned(value);
  }
}

function cloned(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloned);
  const out: any = {};
  for (const key of Object.keys(value)) setOwn(out, key, cloned(value[key]));
  return out;
}

function pointer(text: unknown): string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) throw fail(`not a JSON pointer: ${text}`);
  if (text === '') return [];
  const segments = text.slice(1).split('/');
  return text.includes('~') ? segments.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')) : segments;
}

const isInside = (path: readonly string[], from: readonly string[]) =>
  path.length > from.length && from.every((segment, i) => segment === path[i]);

function indexIn(length: number, key: string): number {
  if (!/^[-+]?\d{1,15}$/.test(key)) throw fail(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const index = Number(key);
  if (index >= length || index < -length) throw fail(`Unable to access invalid index: ${key}`);
  return index < 0 ? index + length : index;
}
