// Pods of the map from the rows of the server's table.

import type { OpenFeed } from '../feeds/client.ts';
import type { MapPod } from '../model/map-layout.ts';
import type { Row } from '../model/rows.ts';
import { toneOf } from '../model/tone.ts';

/** A row that has not changed is the same pod. */
const pods = new WeakMap<Row, MapPod>();

export function* podsOf(feed: OpenFeed): Generator<MapPod> {
  const read = readerOf(feed);
  for (const row of feed.rows.values()) yield read(row);
}

/** Reads rows of the feed's present columns. */
export function readerOf(feed: OpenFeed): (row: Row) => MapPod {
  const column = (name: string) => feed.columns.peek().findIndex((one) => one.name === name);
  const [status, ready, node] = [column('Status'), column('Ready'), column('Node')];
  return (row) => {
    const found = pods.get(row) ?? podOf(row, status, ready, node);
    pods.set(row, found);
    return found;
  };
}

function podOf({ key, namespace, name, cells }: Row, status: number, ready: number, node: number): MapPod {
  const text = (index: number) => String(cells[index] ?? '');
  const word = text(status);
  const isPartly = word === 'Running' && !/^(\d+)\/\1$/.test(text(ready));
  return {
    ...{ key, namespace, name, status: word },
    tone: isPartly ? 'busy' : toneOf(word),
    node: text(node) === '<none>' ? '' : text(node),
  };
}
