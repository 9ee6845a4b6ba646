// An ordered map with cheap snapshots (docs/design.md, idea 3): a B+ tree whose nodes change in place until a snapshot
// is taken; afterwards each node is copied once, before its next change.

const widest = 64;

/** A tree may change nodes of its own epoch in place. */
type Epoch = number;

interface Leaf<V> {
  readonly leaf: true;
  readonly epoch: Epoch;
  readonly keys: string[];
  readonly values: V[];
}

interface Branch<V> {
  readonly leaf: false;
  readonly epoch: Epoch;
  /** The smallest key of each child when it was added; the first child also has smaller keys. */
  readonly keys: string[];
  readonly children: Node<V>[];
  /** The number of values below this node. */
  size: number;
}

type Node<V> = Leaf<V> | Branch<V>;

/** Queries on a tree, live or snapshot. */
export interface OrderedView<V> {
  readonly size: number;
  /** Values of the keys in [start, end), in order, until `visit` returns false. */
  forEach(start: string, end: string, visit: (value: V, key: string) => unknown): void;
  /** The number of keys in [start, end). */
  count(start: string, end: string): number;
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the only child that can have `key`. */
function childIndex(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return at < keys.length && keys[at] === key ? at : Math.max(at - 1, 0);
}

const sizeOf = <V>(node: Node<V>): number => (node.leaf ? node.keys.length : node.size);

/** The node itself if it may be changed, otherwise a changeable copy. */
function own<V>(node: Node<V>, epoch: Epoch): Node<V> {
  if (node.epoch === epoch) return node;
  return node.leaf
    ? { leaf: true, epoch, keys: node.keys.slice(), values: node.values.slice() }
    : { leaf: false, epoch, keys: node.keys.slice(), children: node.children.slice(), size: node.size };
}

function branchOf<V>(epoch: Epoch, keys: string[], children: Node<V>[]): Branch<V> {
  let size = 0;
  for (const child of children) size += sizeOf(child);
  return { leaf: false, epoch, keys, children, size };
}

/** Moves the upper part of an overfull node to a new right neighbour, and returns it; undefined if the node fits. */
function split<V>(node: Node<V>, at: number): Node<V> | undefined {
  const length = node.keys.length;
  if (length <= widest) return undefined;
  // Names often arrive in ascending order: splitting at the end then keeps the nodes full.
  const middle = at >= length - 1 ? widest : widest >>> 1;
  const keys = node.keys.splice(middle);
  if (node.leaf) return { leaf: true, epoch: node.epoch, keys, values: node.values.splice(middle) };
  const right = branchOf(node.epoch, keys, node.children.splice(middle));
  node.size -= right.size;
  return right;
}

/** Puts a value below `node`, which may be changed. Returns the new right neighbour when it was split. */
function insert<V>(node: Node<V>, key: string, value: V): Node<V> | undefined {
  if (node.leaf) {
    const at = lowerBound(node.keys, key);
    if (node.keys[at] === key) {
      node.values[at] = value;
      return undefined;
    }
    node.keys.splice(at, 0, key);
    node.values.splice(at, 0, value);
    return split(node, at);
  }
  const at = childIndex(node.keys, key);
  const child = own(node.children[at], node.epoch);
  const before = sizeOf(child);
  node.children[at] = child;
  const right = insert(child, key, value);
  node.size += sizeOf(child) - before;
  if (!right) return undefined;
  node.size += sizeOf(right);
  node.keys.splice(at + 1, 0, right.keys[0]);
  node.children.splice(at + 1, 0, right);
  return split(node, at + 1);
}

/** Takes a key that is there from below `node`, which may be changed. Nodes are not merged: they go when they are empty. */
function take<V>(node: Node<V>, key: string): void {
  if (node.leaf) {
    const at = lowerBound(node.keys, key);
    node.keys.splice(at, 1);
    node.values.splice(at, 1);
    return;
  }
  const at = childIndex(node.keys, key);
  const child = own(node.children[at], node.epoch);
  node.children[at] = child;
  node.size--;
  take(child, key);
  if (sizeOf(child)) return;
  node.keys.splice(at, 1);
  node.children.splice(at, 1);
}

function find<V>(node: Node<V>, key: string): { readonly value: V } | undefined {
  if (!node.leaf) return find(node.children[childIndex(node.keys, key)], key);
  const at = lowerBound(node.keys, key);
  return node.keys[at] === key ? { value: node.values[at] } : undefined;
}

/** Calls `visit` for the keys in [start, end) in order; `visit` and the walk stop at false. */
function walk<V>(node: Node<V>, start: string, end: string, visit: (value: V, key: string) => unknown): boolean {
  if (node.leaf) {
    for (let i = lowerBound(node.keys, start); i < node.keys.length && node.keys[i] < end; i++)
      if (visit(node.values[i], node.keys[i]) === false) return false;
    return true;
  }
  const first = childIndex(node.keys, start);
  for (let i = first; i < node.children.length && (i === first || node.keys[i] < end); i++)
    if (!walk(node.children[i], start, end, visit)) return false;
  return true;
}

function rank<V>(node: Node<V>, key: string): number {
  if (node.leaf) return lowerBound(node.keys, key);
  const at = childIndex(node.keys, key);
  let below = 0;
  for (let i = 0; i < at; i++) below += sizeOf(node.children[i]);
  return below + rank(node.children[at], key);
}

let epochs: Epoch = 0;

export class OrderedTree<V> implements OrderedView<V> {
  #root: Node<V> | undefined;
  #epoch: Epoch = ++epochs;

  get size(): number {
    return this.#root ? sizeOf(this.#root) : 0;
  }

  /** A copy of the current state: later changes of either tree do not affect the other. */
  snapshot(): OrderedTree<V> {
    const copy = new OrderedTree<V>();
    copy.#root = this.#root;
    this.#epoch = ++epochs;
    return copy;
  }

  get(key: string): V | undefined {
    return this.#root && find(this.#root, key)?.value;
  }

  set(key: string, value: V): void {
    const root = this.#root ? own(this.#root, this.#epoch) : emptyLeaf<V>(this.#epoch);
    const right = insert(root, key, value);
    this.#root = right ? branchOf(this.#epoch, [root.keys[0], right.keys[0]], [root, right]) : root;
  }

  remove(key: string): void {
    if (!this.#root || !find(this.#root, key)) return;
    this.#root = own(this.#root, this.#epoch);
    take(this.#root, key);
    while (this.#root && !this.#root.leaf && this.#root.children.length < 2) this.#root = this.#root.children[0];
    if (this.#root && !sizeOf(this.#root)) this.#root = undefined;
  }

  forEach(start: string, end: string, visit: (value: V, key: string) => unknown): void {
    if (this.#root) walk(this.#root, start, end, visit);
  }

  /** Values of the keys in [start, end), in order of their keys; at most `limit`. */
  range(start: string, end: string, limit = Number.POSITIVE_INFINITY): V[] {
    const values: V[] = [];
    if (limit > 0) this.forEach(start, end, (value) => values.push(value) < limit);
    return values;
  }

  count(start: string, end: string): number {
    return this.#root && start < end ? rank(this.#root, end) - rank(this.#root, start) : 0;
  }
}

const emptyLeaf = <V>(epoch: Epoch): Leaf<V> => ({ leaf: true, epoch, keys: [], values: [] });
