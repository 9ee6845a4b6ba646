import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { longestTurn } from './test-turn.ts';
import { TurnGate } from './turn.ts';

const work = () => {
  const startedMs = performance.now();
  while (performance.now() - startedMs < 1);
};

test('callers that come at once pass a gate in their order, in many turns', async () => {
  const gate = new TurnGate(systemClock);
  const passed: number[] = [];
  const call = async (index: number) => {
    const turn = gate.pass();
    if (turn) await turn;
    work();
    passed.push(index);
  };
  const waitMs = await longestTurn(() => Promise.all(Array.from({ length: 1_000 }, (_, index) => call(index))));
  expect(passed).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  // All in one turn take a second, those before the first reading of the clock 32 ms.
  expect(waitMs).toBeLessThan(500);
});

test('a caller alone passes at once', () => {
  expect(new TurnGate(systemClock).pass()).toBeUndefined();
});
