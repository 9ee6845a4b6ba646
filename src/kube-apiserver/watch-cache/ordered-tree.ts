// An ordered map that is never changed: `set` and `remove` give a new one that shares all but a path of nodes with the
// old one (a copy-on-write B+ tree). So a snapshot of a resource at any revision is one reference (DESIGN.md, idea 3).

const widest = 64;

interface Leaf<V> {
  readonly leaf: true;
  readonly keys: readonly string[];
  readonly values: readonly V[];
  readonly size: number;
}

interface Branch<V> {
  readonly leaf: false;
  /** The smallest key of each child. */
  readonly keys: readonly string[];
  readonly children: readonly Node<V>[];
  readonly size: number;
}

type Node<V> = Leaf<V> | Branch<V>;

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

/** Index of the child that holds `key` if any does. */
function childIndex(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return at < keys.length && keys[at] === key ? at : Math.max(at - 1, 0);
}

const leafOf = <V>(keys: readonly string[], values: readonly V[]): Leaf<V> => ({
  leaf: true,
  keys,
  values,
  size: keys.length,
});

function branchOf<V>(children: readonly Node<V>[]): Branch<V> {
  let size = 0;
  for (const child of children) size += child.size;
  return { leaf: false, keys: children.map((child) => child.keys[0]), children, size };
}

/** The node after the change, or two when it became too wide. */
function insert<V>(node: Node<V>, key: string, value: V): [Node<V>] | [Node<V>, Node<V>] {
  if (node.leaf) {
    const at = lowerBound(node.keys, key);
    if (node.keys[at] === key) return [{ ...node, values: node.values.with(at, value) }];
    const keys = node.keys.toSpliced(at, 0, key);
    const values = node.values.toSpliced(at, 0, value);
    if (keys.length <= widest) return [leafOf(keys, values)];
    // Names often arrive in ascending order: splitting at the end then keeps the leaves full.
    const middle = at === keys.length - 1 ? widest : widest >>> 1;
    return [leafOf(keys.slice(0, middle), values.slice(0, middle)), leafOf(keys.slice(middle), values.slice(middle))];
  }
  const at = childIndex(node.keys, key);
  const children = node.children.toSpliced(at, 1, ...insert(node.children[at], key, value));
  if (children.length <= widest) return [branchOf(children)];
  const middle = at >= node.children.length - 1 ? widest : widest >>> 1;
  return [branchOf(children.slice(0, middle)), branchOf(children.slice(middle))];
}

/** The node without the key; undefined when nothing is left. Nodes are not merged: they go when they are empty. */
function without<V>(node: Node<V>, key: string): Node<V> | undefined {
  if (node.leaf) {
    const at = lowerBound(node.keys, key);
    if (node.keys[at] !== key) return node;
    return node.keys.length === 1 ? undefined : leafOf(node.keys.toSpliced(at, 1), node.values.toSpliced(at, 1));
  }
  const at = childIndex(node.keys, key);
  const child = without(node.children[at], key);
  if (child === node.children[at]) return node;
  if (child) return branchOf(node.children.with(at, child));
  if (node.children.length === 1) return undefined;
  if (node.children.length === 2) return node.children[1 - at];
  return branchOf(node.children.toSpliced(at, 1));
}

/** Calls `visit` for the keys in [start, end) in order; it may return false to stop, and then so does the walk. */
function walk<V>(node: Node<V>, start: string, end: string, visit: (value: V, key: string) => unknown): boolean {
  if (node.leaf) {
    for (let i = lowerBound(node.keys, start); i < node.keys.length && node.keys[i] < end; i++)
      if (visit(node.values[i], node.keys[i]) === false) return false;
    return true;
  }
  for (let i = childIndex(node.keys, start); i < node.children.length && node.keys[i] < end; i++)
    if (!walk(node.children[i], start, end, visit)) return false;
  return true;
}

function rank<V>(node: Node<V>, key: string): number {
  if (node.leaf) return lowerBound(node.keys, key);
  const at = childIndex(node.keys, key);
  let below = 0;
  for (let i = 0; i < at; i++) below += node.children[i].size;
  return below + rank(node.children[at], key);
}

export class OrderedTree<V> {
  readonly #root: Node<V> | undefined;

  constructor(root?: Node<V>) {
    this.#root = root;
  }

  get size(): number {
    return this.#root?.size ?? 0;
  }

  set(key: string, value: V): OrderedTree<V> {
    if (!this.#root) return new OrderedTree<V>(leafOf([key], [value]));
    const nodes = insert(this.#root, key, value);
    return new OrderedTree<V>(nodes.length === 1 ? nodes[0] : branchOf<V>(nodes));
  }

  remove(key: string): OrderedTree<V> {
    const root = this.#root && without(this.#root, key);
    return root === this.#root ? this : new OrderedTree<V>(root);
  }

  /** Values of the keys in [start, end), in order, until `visit` returns false. */
  forEach(start: string, end: string, visit: (value: V, key: string) => unknown): void {
    if (this.#root) walk(this.#root, start, end, visit);
  }

  /** How many keys lie in [start, end). */
  count(start: string, end: string): number {
    return this.#root ? rank(this.#root, end) - rank(this.#root, start) : 0;
  }
}
