// Who owns which fields is more than half of a typical object in memory, and thousands of pods of one deployment have
// the same owners: equal values are kept once.

import type { ApiObject } from '../../api/api.ts';
import { fieldsV1Leaf } from '../../machinery/field-set.ts';

const known = new Map<string, object>();
/** The values of `known`: what is shared need not be looked up again. */
let shared = new WeakSet<object>();
const most = 4_096;
/** Longer ones are seldom alike. */
const longest = 8_192;

/** Puts shared values in the place of equal ones; the object must not be in anybody else's hands yet. */
export function shareFields({ metadata }: ApiObject): void {
  for (const entry of metadata.managedFields ?? []) {
    if (!entry.fieldsV1 || shared.has(entry.fieldsV1 as object)) continue;
    const text = JSON.stringify(entry.fieldsV1);
    if (text.length > longest) continue;
    const same = known.get(text);
    if (same) entry.fieldsV1 = same;
    else {
      if (known.size === most) {
        known.clear();
        shared = new WeakSet();
      }
      shareLeaves(entry.fieldsV1 as Tree);
      known.set(text, entry.fieldsV1 as object);
      shared.add(entry.fieldsV1 as object);
    }
  }
}

type Tree = { [key: string]: Tree };

/** Most of a tree of fields are empty objects: one does for all. */
function shareLeaves(tree: Tree): void {
  for (const key in tree) {
    const inner = tree[key];
    if (inner === fieldsV1Leaf) continue;
    let isEmpty = true;
    for (const _ in inner) {
      isEmpty = false;
      break;
    }
    if (isEmpty) tree[key] = fieldsV1Leaf as Tree;
    else shareLeaves(inner);
  }
}
