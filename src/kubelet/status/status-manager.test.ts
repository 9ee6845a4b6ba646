import { describe, expect, test } from 'vitest';
import { ApiError, type Pod, type PodStatus, type Status } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
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

test('undefined members are not sent, and make no difference', async () => {
  const bodies: any[] = [];
  const client = {
    patch: async (_resource: string, _name: object, { body }: { body: any }) => {
      bodies.push(body);
      return { status: JSON.parse(JSON.stringify(body.status)) };
    },
  } as unknown as Client;
  const statuses = new StatusManager(client, new VirtualClock(0), silentLogger);
  const containers = Array.from({ length: 100 }, (_, i) => ({
    name: `c${i}`,
    state: { running: {} },
    started: undefined,
  }));
  const status = (ready: boolean) => ({
    phase: 'Running',
    containerStatuses: containers.map((c) => ({ ...c, ready })),
  });
  const set = async (ready: boolean) => {
    statuses.set(pod, status(ready) as unknown as PodStatus);
    await statuses.flushed('u');
  };
  await set(false);
  await set(false);
  expect(bodies).toHaveLength(1);
  expect(Object.keys(bodies[0].status.containerStatuses[99])).toEqual(['name', 'state', 'ready']);
  await set(true);
  expect(bodies).toHaveLength(2);
});

test('the patch of a pod with many containers is made in a separate turn, of the newest status', async () => {
  const sent: string[] = [];
  const client = {
    patch: async (_resource: string, _name: object, { body }: { body: any }) => {
      sent.push(body.status.phase);
      return { status: body.status };
    },
  } as unknown as Client;
  const statuses = new StatusManager(client, new VirtualClock(0), silentLogger);
  const containerStatuses = Array.from({ length: 100 }, (_, i) => ({ name: `c${i}` }));
  for (const phase of ['Pending', 'Running']) statuses.set(pod, { phase, containerStatuses } as unknown as PodStatus);
  expect(sent).toEqual([]);
  await statuses.flushed('u');
  expect(sent).toEqual(['Running']);
});

describe('a status that the API refuses', () => {
  const refusal = (code: number, reason: string) =>
    new ApiError({ kind: 'Status', code, reason, message: reason } as Status);
  const gone = refusal(404, 'NotFound');
  const conflict = refusal(409, 'Conflict');
  test.each([
    { case: 'is dropped when the pod is gone', error: gone, found: undefined, sends: 1, kept: false },
    { case: 'is dropped when another pod has the name', error: conflict, found: 'other', sends: 1, kept: false },
    { case: 'is dropped when the pod goes meanwhile', error: conflict, found: gone, sends: 1, kept: false },
    { case: 'is sent again when others write the pod', error: conflict, found: 'u', sends: 2, kept: true },
    {
      case: 'is sent again when the pod cannot be read',
      error: conflict,
      found: refusal(500, 'x'),
      sends: 2,
      kept: true,
    },
    { case: 'is sent again when the server fails', error: refusal(503, 'x'), found: 'u', sends: 2, kept: true },
  ])('$case', async ({ error, found, sends, kept }) => {
    let sent = 0;
    const client = {
      async patch() {
        if (++sent === 1) throw error;
        return { status: {} };
      },
      async get() {
        if (typeof found !== 'string') throw found;
        return { metadata: { uid: found } };
      },
    } as unknown as Client;
    const clock = new VirtualClock(0);
    const statuses = new StatusManager(client, clock, silentLogger);
    statuses.set(pod, { phase: 'Running' } as PodStatus);
    const flushed = statuses.flushed('u');
    await clock.advance(999);
    expect(sent).toBe(1);
    await clock.advance(1);
    await flushed;
    expect(sent).toBe(sends);
    expect(statuses.get('u')).toEqual(kept ? { phase: 'Running' } : undefined);
  });
});

test('a condition that another writer changed within the same second is written again', async () => {
  const bodies: { status: PodStatus }[] = [];
  const client = {
    patch: async (_resource: string, _name: object, { body }: { body: { status: PodStatus } }) => {
      bodies.push(body);
      return { metadata: { resourceVersion: '10' }, status: JSON.parse(JSON.stringify(body.status)) };
    },
  } as unknown as Client;
  const statuses = new StatusManager(client, new VirtualClock(0), silentLogger);
  const ready = { phase: 'Running', conditions: [condition('Ready')] } as PodStatus;
  const at = (resourceVersion: string, status: string) =>
    ({
      metadata: { ...pod.metadata, resourceVersion },
      spec: pod.spec,
      status: { phase: 'Running', conditions: [condition('example.com/other'), condition('Ready', { status })] },
    }) as unknown as Pod;
  const writes = async (of: Pod) => {
    statuses.set(of, ready);
    await statuses.flushed('u');
    return bodies.length;
  };
  expect(await writes(pod)).toBe(1);
  expect(await writes(at('9', 'False'))).toBe(1); // older than the kubelet's own write
  expect(await writes(at('11', 'True'))).toBe(1);
  expect(await writes(at('12', 'False'))).toBe(2);
  expect(bodies[1].status.conditions).toContainEqual(condition('Ready'));
});

test('who waits for a status that the API does not take has an error when the kubelet stops', async () => {
  const clock = new VirtualClock(0);
  let tries = 0;
  const patch = async () => {
    tries++;
    throw new Error('no answer');
  };
  const statuses = new StatusManager({ patch } as unknown as Client, clock, silentLogger);
  statuses.set(pod, { phase: 'Succeeded' } as PodStatus);
  const waiting = statuses.flushed('u').catch((error) => error.message);
  await clock.advance(5_000);
  expect(tries).toBeGreaterThan(3);
  await statuses.stop();
  expect(await waiting).toBe('the kubelet stops before it sent a status');
});
