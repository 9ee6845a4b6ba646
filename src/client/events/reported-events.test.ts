import { beforeEach, describe, expect, test } from 'vitest';
import { forbidden } from '../../api/api.ts';
import { type Logger, silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createClient, createEventReporter, type EventReporter } from '../client.ts';
import { FakeServer } from '../fake-server.ts';

const minute = 60_000;

let server: FakeServer;
let clock: VirtualClock;
let warnings: string[];
let reporter: EventReporter;

beforeEach(() => {
  server = new FakeServer();
  clock = new VirtualClock();
  warnings = [];
  const warn = (message: string) => void warnings.push(message);
  const logger: Logger = { ...silentLogger, warn };
  const context = { client: createClient(server), clock, random: seededRandom(1), logger };
  reporter = createEventReporter(context, 'default-scheduler', 'm1');
});

const pod = (name: string, resourceVersion = '1'): any => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion },
});
const refuse = (object: object, note = 'no node') =>
  reporter.report(object as any, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', note });
const read = async (): Promise<any[]> => {
  await clock.settle();
  const { body } = await server.send({ method: 'GET', path: '/apis/events.k8s.io/v1/events' });
  return (body as any).items;
};
const shown = async () => (await read()).map(({ note, series }) => `${note}${series ? ` (${series.count})` : ''}`);

test('an event has all that clients show, and the other object', async () => {
  await clock.advance(1_250);
  const related = pod('important', '7');
  reporter.report(pod('web'), {
    type: 'Normal',
    reason: 'Preempted',
    action: 'Preempting',
    note: 'by important',
    related,
  });
  const [event] = await read();
  expect(event).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: 'default', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
    eventTime: '2026-01-01T00:00:01.250000Z',
    type: 'Normal',
    reason: 'Preempted',
    action: 'Preempting',
    note: 'by important',
    reportingController: 'default-scheduler',
    reportingInstance: 'default-scheduler-m1',
    regarding: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'default',
      name: 'web',
      uid: 'uid-web',
      resourceVersion: '1',
    },
    related: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'important', uid: 'uid-important' },
  });
  for (const field of ['series', 'count', 'deprecatedCount', 'deprecatedSource', 'firstTimestamp', 'source'])
    expect(event).not.toHaveProperty(field);
});

describe('repeats', () => {
  test('the second one starts a series, and its end is written when it is over', async () => {
    refuse(pod('web'));
    expect(await shown()).toEqual(['no node']);
    for (let i = 0; i < 4; i++) {
      await clock.advance(minute);
      refuse(pod('web'));
    }
    expect(await shown()).toEqual(['no node (2)']);
    expect((await read())[0].series.lastObservedTime).toBe('2026-01-01T00:01:00.000000Z');
    await clock.advance(12 * minute);
    expect(await shown()).toEqual(['no node (5)']);
    expect((await read())[0].series.lastObservedTime).toBe('2026-01-01T00:04:00.000000Z');
    refuse(pod('web'));
    expect(await shown()).toEqual(['no node (5)', 'no node']);
  });

  test('a series that goes on is written every half hour', async () => {
    for (let i = 0; i < 40; i++) {
      refuse(pod('web'));
      await clock.advance(minute);
    }
    const [event] = await shown();
    expect(Number(/\((\d+)\)/.exec(event)?.[1])).toBeGreaterThan(30);
  });

  test('an object that changed has a new event', async () => {
    refuse(pod('web', '1'), 'no nodes');
    refuse(pod('web', '2'), 'too small');
    refuse(pod('web', '2'), 'too small');
    expect(await shown()).toEqual(['no nodes', 'too small (2)']);
  });

  test('a series is written again as an event when the event has expired', async () => {
    refuse(pod('web'));
    const [{ metadata }] = await read();
    const path = `/apis/events.k8s.io/v1/namespaces/default/events/${metadata.name}`;
    await server.send({ method: 'DELETE', path });
    refuse(pod('web'));
    expect(await shown()).toEqual(['no node (2)']);
  });
});

describe('a burst', () => {
  test('all events of 10,000 pods that are bound at once are recorded; more are dropped', async () => {
    for (let i = 0; i < 10_050; i++) refuse(pod(`web-${i}`), String(i));
    const notes = await shown();
    expect(notes).toHaveLength(10_000);
    expect(notes.at(-1)).toBe('9999');
  });

  test('series that are evicted from the memory are written', async () => {
    for (let i = 0; i < 3; i++) refuse(pod('web'));
    expect(await shown()).toEqual(['no node (3)']);
    for (let i = 0; i < 2; i++) refuse(pod('web'));
    for (let i = 0; i < 4_096; i++) refuse(pod(`web-${i}`), String(i));
    expect((await shown())[0]).toBe('no node (5)');
    refuse(pod('web'), 'again');
    expect((await shown()).at(-1)).toBe('again');
  });
});

describe('failures', () => {
  test('events wait for a server that does not answer', async () => {
    server.before = () => {
      throw new Error('unreachable');
    };
    refuse(pod('a'), 'first');
    refuse(pod('b'), 'second');
    await clock.advance(minute);
    server.before = () => {};
    await clock.advance(13_000);
    expect(await shown()).toEqual(['first', 'second']);
    expect(warnings).toEqual(['event not recorded, trying again']);
  });

  test('an event that the server has, although its answer was lost, is not written twice', async () => {
    let isLost = true;
    const answer = server.send.bind(server);
    server.send = async (request) => {
      const response = await answer(request);
      if (isLost && request.method === 'POST') throw new Error('connection lost');
      return response;
    };
    refuse(pod('web'));
    await clock.settle();
    isLost = false;
    await clock.advance(13_000);
    expect(await shown()).toEqual(['no node']);
  });

  test('twelve attempts are enough', async () => {
    server.before = ({ method }) => {
      if (method === 'POST') throw new Error('unreachable');
    };
    refuse(pod('web'));
    await clock.advance(10 * minute);
    expect(server.writes).toHaveLength(12);
    expect(warnings.at(-1)).toBe('event not recorded');
  });

  test('a refused event is not tried again', async () => {
    server.before = ({ method }) => {
      if (method === 'POST') throw forbidden({ group: 'events.k8s.io', resource: 'events' }, '', 'no');
    };
    refuse(pod('web'));
    await clock.advance(10 * minute);
    expect(server.writes).toHaveLength(1);
    expect(warnings).toEqual(['event not recorded']);
  });

  test('a stop ends after two seconds while a write hangs', async () => {
    server.before = ({ method }) => (method === 'POST' ? new Promise(() => {}) : undefined);
    refuse(pod('a'));
    refuse(pod('b'));
    await clock.settle();
    let isStopped = false;
    void reporter.stop().then(() => {
      isStopped = true;
    });
    await clock.advance(1_900);
    expect(isStopped).toBe(false);
    await clock.advance(200);
    expect(isStopped).toBe(true);
    expect(server.writes).toHaveLength(1);
  });

  test('a stop sends the events that wait', async () => {
    for (const name of ['a', 'b', 'c']) refuse(pod(name), name);
    await reporter.stop();
    expect(await shown()).toEqual(['a', 'b', 'c']);
  });
});

test('an object whose name no event may have gets a random one, in the default namespace', async () => {
  const metadata = { name: '2001:db8::1', uid: 'u' };
  refuse({ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata });
  refuse({ ...pod('x'.repeat(250)) });
  const names = (await read()).map((event) => event.metadata);
  expect(names).toHaveLength(2);
  for (const { name, namespace } of names) {
    expect(name).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(namespace).toBe('default');
  }
});

test.each([
  { case: 'a note of the largest size', note: 'x'.repeat(1_024), recorded: 'x'.repeat(1_024) },
  { case: 'a longer one', note: 'x'.repeat(1_025), recorded: `${'x'.repeat(1_020)} ...` },
  {
    case: 'one that would be cut within a character',
    note: `x${'é'.repeat(600)}`,
    recorded: `x${'é'.repeat(509)} ...`,
  },
])('the API takes 1,024 bytes: $case', async ({ note, recorded }) => {
  refuse(pod('web'), note);
  expect((await read())[0].note).toBe(recorded);
});
