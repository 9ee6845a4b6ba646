import { expect, test } from 'vitest';
import { Beginnings } from './begin.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test('requests begin a few in a turn, and connections take turns', async () => {
  const beginnings = new Beginnings();
  const [flood, other] = [{}, {}];
  const begun: object[] = [];
  const begin = async (connection: object) => {
    await beginnings.turn(connection, false);
    begun.push(connection);
  };
  for (let i = 0; i < 1_000; i++) void begin(flood);
  void begin(other);
  await Promise.resolve();
  await Promise.resolve();
  expect(begun.length).toBe(32);
  await nextTurn();
  await nextTurn();
  expect(begun.length).toBeLessThan(200);
  expect(begun).toContain(other);
  for (let i = 0; i < 40; i++) await nextTurn();
  expect(begun.length).toBe(1_001);
  expect(beginnings.turn(other, false), 'a quiet server has no queue').toBeUndefined();
});
