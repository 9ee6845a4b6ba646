import { expect, test } from 'vitest';
import type { Client } from '../client/client.ts';
import { answerLab, type LabControl } from './lab.ts';

function start(isAdministrator = true) {
  const changes: unknown[] = [];
  const lab: LabControl = {
    status: () => ({ pace: 1, nowMs: 5, nodes: [] }),
    setPace: (pace) => changes.push(pace),
    async setNode(name, change) {
      changes.push([name, change]);
      return name === 'n1';
    },
  };
  const client = {
    create: async (_: string, review: any) => {
      const { verb, group, resource } = review.spec.resourceAttributes;
      return { status: { allowed: isAdministrator && `${verb}${group}${resource}` === '***' } };
    },
  } as unknown as Client;
  return { changes, ask: (change?: unknown) => answerLab(lab, client, change) };
}

test('an administrator sees the lab, and changes the pace and the nodes', async () => {
  const { changes, ask } = start();
  expect(JSON.parse(String((await ask()).body))).toEqual({ pace: 1, nowMs: 5, nodes: [] });
  await ask({ pace: 60 });
  await ask({ node: 'n1', isStopped: true, isCut: 'yes', other: true });
  expect(changes).toEqual([60, ['n1', { isStopped: true }]]);
});

test('other users may do nothing', async () => {
  const { changes, ask } = start(false);
  for (const change of [undefined, { pace: 60 }, { node: 'n1', isStopped: true }])
    expect((await ask(change)).code).toBe(403);
  expect(changes).toEqual([]);
});

test.each([
  [{ pace: -1 }, 400],
  [{ pace: 601 }, 400],
  [{ pace: '5' }, 400],
  [{ pace: null }, 400],
  [{ node: 'n2', isCut: true }, 404],
  [{ node: 5 }, 404],
])('%j is refused', async (change, code) => expect((await start().ask(change)).code).toBe(code));
