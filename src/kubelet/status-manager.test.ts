import { expect, test } from 'vitest';
import type { Pod, PodStatus } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import { silentLogger } from '../machinery/logger.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { StatusManager } from './status-manager.ts';

const condition = (type: string, more: object = {}) => ({ type, status: 'True', ...more });
const pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [] },
  status: {},
} as unknown as Pod;

test('reasons and conditions that are no longer so are removed by name', async () => {
  const bodies: any[] = [];
  const client = {
    patch: async (_resource: string, _name: object, { body }: { body: object }) => {
      bodies.push(body);
      return { status: {} };
    },
  } as unknown as Client;
  const statuses = new StatusManager(client, new VirtualClock(0), silentLogger);
  const set = async (status: object) => {
    statuses.set(pod, status as PodStatus);
    await statuses.flushed('u');
    return bodies.at(-1).status;
  };
  const first = [
    condition('Ready', { reason: 'ContainersNotReady', message: 'containers with unready status: [a]' }),
    condition('PodResizePending', { reason: 'Deferred' }),
    condition('example.com/other'),
  ];
  await set({ phase: 'Pending', reason: 'Why', message: 'because', conditions: first });
  expect(await set({ phase: 'Running', conditions: [condition('Ready')] })).toEqual({
    phase: 'Running',
    reason: null,
    message: null,
    conditions: [
      { type: 'Ready', status: 'True', reason: null, message: null },
      { $patch: 'delete', type: 'PodResizePending' },
    ],
  });
  expect(await set({ phase: 'Succeeded', conditions: [condition('Ready')] })).toEqual({
    phase: 'Succeeded',
    conditions: [condition('Ready')],
  });
});
