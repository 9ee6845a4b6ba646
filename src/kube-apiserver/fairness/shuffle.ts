// Shuffle sharding: the hash of a flow selects some of the queues, so that two flows rarely share all of them.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#queuing

import { createHash } from 'node:crypto';

/** 64 bits that identify a flow: its schema, and the user or namespace that distinguishes flows of a schema. */
export const hashOfFlow = (schema: string, distinguisher: string): bigint =>
  createHash('sha256').update(`${schema},${distinguisher}`).digest().readBigUInt64LE();

/** `handSize` different numbers below `deckSize`, always the same for one hash. */
export function deal(hash: bigint, deckSize: number, handSize: number): number[] {
  const hand: number[] = [];
  let entropy = hash;
  for (let i = 0; i < handSize; i++) {
    const left = BigInt(deckSize - i);
    let card = Number(entropy % left);
    entropy /= left;
    // The card is one of those that are left: each card below it that was dealt moves it up by one.
    for (const dealt of [...hand].sort((a, b) => a - b)) if (card >= dealt) card++;
    hand.push(card);
  }
  return hand;
}
