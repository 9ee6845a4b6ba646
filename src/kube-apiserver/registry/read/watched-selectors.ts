// The memory of the selectors of watches: a long one takes twenty times its length, for as long as its watch.

import { tooManyRequests } from '../../../api/api.ts';
import type { Server } from '../../server.ts';
import type { ListOptions } from './list-options.ts';

/** Characters of a selector that does not count. */
const shortSelector = 16 << 10;
/** Characters of all others of a server. */
const mostCharacters = 2 << 20;
const retrySeconds = 10;

const characters = new WeakMap<Server, number>();

type Selectors = Pick<ListOptions, 'labelSelector' | 'fieldSelector'>;

const lengthOf = ({ labelSelector, fieldSelector }: Selectors): number => {
  const length = labelSelector.length + fieldSelector.length;
  return length > shortSelector ? length : 0;
};

/** Throws a 429 if watches have too many long selectors. */
export function checkSelectorRoom(server: Server, selectors: Selectors): void {
  const length = lengthOf(selectors);
  if (length > 0 && (characters.get(server) ?? 0) + length > mostCharacters)
    throw tooManyRequests('the selectors of all watches are too long, please try again later', retrySeconds);
}

/** Returns the function that gives the room back. */
export function takeSelectorRoom(server: Server, selectors: Selectors): () => void {
  let length = lengthOf(selectors);
  const add = (change: number) => void characters.set(server, (characters.get(server) ?? 0) + change);
  add(length);
  return () => {
    add(-length);
    length = 0;
  };
}
