// managedFields take more than half of a typical object's memory, and thousands of pods of one deployment have equal
// ones: equal values, and equal parts of others, are stored once.

import type { ApiObject } from '../../api/api.ts';
import { fieldsV1Leaf } from '../../machinery/fields/field-set.ts';

type Tree = { [key: string]: Tree };

/** A part that may be shared: equal parts have equal ids. */
interface Part {
  readonly tree: Tree;
  readonly id: number;
}

const leaf: Part = { tree: fieldsV1Leaf as Tree, id: 0 };
const most = 1_024;
const mostParts = 16_384;
/** Longer ones are rarely equal. */
const longest = 8_192;
/** Keys that are unique per object: an address, a uid, or a value. */
const unlike = /^(k:\{"(ip|uid)"|v:)/;

/** By the text of the whole value. */
const sharedTrees = new Map<string, Tree>();
/** By the keys and the ids of the parts below. */
const parts = new Map<string, Part>();
let ids = 0;
/** Parts in the table: they need no lookup. */
let shared = new WeakSet<object>();

/** Replaces equal values by shared ones; the object must not be shared yet. */
export function shareFields({ metadata }: ApiObject): void {
  for (const entry of metadata.managedFields ?? []) {
    if (!entry.fieldsV1 || shared.has(entry.fieldsV1 as object)) continue;
    const text = JSON.stringify(entry.fieldsV1);
    if (text.length > longest) continue;
    const same = sharedTrees.get(text);
    if (same) entry.fieldsV1 = same;
    else {
      const whole = share(entry.fieldsV1 as Tree);
      if (!whole) continue;
      entry.fieldsV1 = whole.tree;
      if (sharedTrees.size >= most) startAgain();
      sharedTrees.set(text, whole.tree);
      shared.add(whole.tree);
    }
  }
}

/** Shares the parts; undefined if the tree as a whole is unique. */
function share(tree: Tree): Part | undefined {
  let key = '';
  let isUnlike = false;
  for (const name in tree) {
    const part = tree[name] === leaf.tree ? leaf : share(tree[name]);
    if (part && part.tree !== tree[name]) tree[name] = part.tree;
    if (!part || unlike.test(name)) isUnlike = true;
    else key += `${name}\n${part.id}\n`;
  }
  if (isUnlike) return undefined;
  if (!key) return leaf;
  let part = parts.get(key);
  if (!part) {
    // Trees that are unique as a whole have parts that are not.
    if (parts.size >= mostParts) startAgain();
    parts.set(key, (part = { tree, id: ++ids }));
  }
  return part;
}

function startAgain(): void {
  sharedTrees.clear();
  parts.clear();
  shared = new WeakSet();
}
