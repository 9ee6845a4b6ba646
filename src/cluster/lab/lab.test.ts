import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Lab } from './lab.ts';

function labWithNode() {
  const lab = new Lab(new VirtualClock());
  const calls: string[] = [];
  let running = 1;
  const node = {
    async start() {
      calls.push('start');
      await Promise.resolve();
      running++;
    },
    async stop() {
      calls.push('stop');
      await Promise.resolve();
      running--;
    },
  };
  lab.useNodes(new Map([['n', node]]));
  return { lab, calls, running: () => running };
}

test('requests at the same time neither start nor stop a node twice', async () => {
  const { lab, calls, running } = labWithNode();
  const all = (isStopped: boolean) => Promise.all([1, 2, 3].map(() => lab.setNode('n', { isStopped })));
  await all(false);
  expect(calls).toEqual([]);
  await all(true);
  expect([calls, running(), lab.status().nodes[0].isStopped]).toEqual([['stop'], 0, true]);
  await all(false);
  expect([calls, running(), lab.status().nodes[0].isStopped]).toEqual([['stop', 'start'], 1, false]);
  await Promise.all([lab.setNode('n', { isStopped: true }), lab.setNode('n', { isStopped: false })]);
  expect([running(), lab.status().nodes[0].isStopped]).toEqual([1, false]);
});

test('a node that does not start stays stopped, and starts later', async () => {
  const { lab } = labWithNode();
  let fails = true;
  const node = {
    async start() {
      if (fails) throw new Error('no runtime');
    },
    async stop() {},
  };
  lab.useNodes(new Map([['n', node]]));
  await lab.setNode('n', { isStopped: true });
  await expect(lab.setNode('n', { isStopped: false })).rejects.toThrow('no runtime');
  expect(lab.status().nodes[0].isStopped).toBe(true);
  fails = false;
  expect(await lab.setNode('n', { isStopped: false })).toBe(true);
  expect(lab.status().nodes[0].isStopped).toBe(false);
  expect(await lab.setNode('absent', { isCut: true })).toBe(false);
});
