import { expect, test } from 'vitest';
import { internalError, notFound } from '../api/api.ts';
import { type Logger, silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import {
  type Controller,
  createClient,
  createEventRecorder,
  createInformer,
  InformerFactory,
  own,
  ownedBy,
  runController,
  runLeaderElection,
  slowStart,
  TerminalError,
  WorkQueue,
} from './client.ts';
import { FakeServer } from './fake-server.ts';

function setUp() {
  const server = new FakeServer();
  const clock = new VirtualClock();
  const fatal = (error: Error) => {
    throw error;
  };
  const context = {
    client: createClient(server),
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    metrics: new Metrics(),
    fatal,
  };
  return { server, clock, context, client: context.client };
}

const configMap = (name: string, data = {}) => ({ metadata: { name, namespace: 'default' }, data });

test('an informer lists, follows, indexes, and survives lost watches and a lost history', async () => {
  const { server, clock, context, client } = setUp();
  await client.create('configmaps', configMap('a'));
  const informer = createInformer(context, 'configmaps');
  const seen: string[] = [];
  informer.handle((next, old) => seen.push(`${old ? old.metadata.name : '-'}>${next ? next.metadata.name : '-'}`));
  await informer.synced();
  const b = await client.create('configmaps', {
    ...configMap('b', { x: '1' }),
    metadata: {
      name: 'b',
      namespace: 'other',
      ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }],
    },
  });
  await informer.seen(b.metadata.resourceVersion);
  expect(seen).toEqual(['->a', '->b']);
  expect(informer.list('other').map((o) => o.metadata.name)).toEqual(['b']);
  expect(informer.ownedBy({ metadata: { uid: 'u' } })).toHaveLength(1);
  informer.addIndex('x', (o) => (o.data?.x ? [o.data.x] : []));
  expect(informer.by('x', '1')).toHaveLength(1);
  await client.update('configmaps', { ...b, data: { x: '2' } });
  await clock.settle();
  expect(informer.by('x', '1')).toHaveLength(0);
  expect(informer.by('x', '2')).toHaveLength(1);

  server.dropWatches();
  await client.delete('configmaps', { namespace: 'default', name: 'a' });
  await clock.advance(2000);
  expect(seen.slice(2)).toEqual(['b>b', 'a>-']);

  server.dropWatches();
  server.oldest = 1e9;
  await client.delete('configmaps', { namespace: 'other', name: 'b' });
  await client.create('configmaps', configMap('c'));
  await clock.advance(5000);
  server.oldest = 0;
  await clock.advance(5000);
  expect(seen.slice(4).sort()).toEqual(['->c', 'b>-']);
  await informer.stop();
});

test('the queue holds a key once, processes it once at a time, and backs off', async () => {
  const clock = new VirtualClock();
  const queue = new WorkQueue({ clock });
  queue.add('a');
  queue.add('a');
  expect(queue.length).toBe(1);
  expect(await queue.next()).toBe('a');
  queue.add('a');
  expect(queue.length).toBe(0);
  queue.done('a');
  expect(queue.length).toBe(1);
  expect(await queue.next()).toBe('a');
  queue.done('a');
  expect([1, 2, 3, 4].map(() => queue.retry('b'))).toEqual([5, 10, 20, 40]);
  await clock.advance(4);
  expect(queue.length).toBe(0);
  await clock.advance(2);
  expect(queue.length).toBe(1);
  queue.close();
  expect(await queue.next()).toBeUndefined();
});

test('a controller reconciles, retries, waits, gives up, and never reads a cache older than its writes', async () => {
  const { clock, context, client } = setUp();
  const runs: string[] = [];
  let counted = -1;
  const controller: Controller = {
    name: 'test',
    watches: [own('configmaps'), ownedBy('secrets', 'ConfigMap')],
    async reconcile(key, tools) {
      runs.push(`${key}@${clock.now() - Date.UTC(2026, 0, 1)}`);
      if (key === 'default/bad') throw new TerminalError('never');
      if (key === 'default/flaky' && runs.length < 3) throw new Error('again');
      if (key !== 'default/maker') return;
      const map = tools.lister('configmaps').get(key);
      if (!map) return;
      counted = tools.lister('secrets').ownedBy(map).length;
      for (let i = counted; i < 3; i++)
        await tools.client.create('secrets', {
          metadata: {
            name: `s${i}`,
            namespace: 'default',
            ownerReferences: [
              { apiVersion: 'v1', kind: 'ConfigMap', name: 'maker', uid: map.metadata.uid, controller: true },
            ],
          },
        });
      return { after: 60_000 };
    },
  };
  const informers = new InformerFactory(context);
  const running = runController(context, informers, controller);
  await client.create('configmaps', configMap('flaky'));
  await clock.advance(20);
  expect(runs).toEqual(['default/flaky@0', 'default/flaky@5', 'default/flaky@15']);
  await client.create('configmaps', configMap('bad'));
  await clock.advance(1000);
  expect(runs.filter((run) => run.includes('bad'))).toHaveLength(1);
  await client.create('configmaps', configMap('maker'));
  await clock.settle();
  expect(counted).toBe(3);
  const before = runs.length;
  await clock.advance(60_000);
  expect(runs.length).toBe(before + 1);
  expect((await client.list('secrets')).items).toHaveLength(3);
  await running.stop();
  await informers.stop();
});

test('a reconcile that takes more than a second is logged with its key', async () => {
  const { clock, context, client } = setUp();
  const logged: string[] = [];
  const warn = (message: string, { key }: Record<string, unknown> = {}) => logged.push(`${message} ${key}`);
  const logger: Logger = { ...silentLogger, warn, child: () => logger };
  const controller: Controller = {
    name: 'slow',
    watches: [own('configmaps')],
    reconcile: (key) => clock.sleep(key.endsWith('slow') ? 1_500 : 500),
  };
  const informers = new InformerFactory(context);
  const running = runController({ ...context, logger }, informers, controller);
  for (const name of ['quick', 'slow']) await client.create('configmaps', configMap(name));
  await clock.advance(2_000);
  expect(logged).toEqual(['slow reconcile default/slow']);
  await running.stop();
  await informers.stop();
});

test.each([
  { case: 'is no longer served', error: () => notFound({ group: '', resource: 'configmaps' }, ''), warnings: 0 },
  { case: 'cannot be read', error: () => internalError('the disk is gone'), warnings: 1 },
])('a resource that $case is at most one warning', async ({ error, warnings }) => {
  const { server, clock, context } = setUp();
  const levels: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: () => levels.push('warn'),
    debug: () => levels.push('debug'),
    child: () => logger,
  };
  const informer = createInformer({ ...context, logger }, 'configmaps');
  await informer.synced();
  server.before = () => {
    throw error();
  };
  server.dropWatches();
  await clock.advance(120_000);
  expect(levels.length).toBeGreaterThan(3);
  expect(levels.filter((level) => level === 'warn')).toHaveLength(warnings);
  await informer.stop();
});

test('an informer keeps reduced objects, listed and watched, and handlers see these alone', async () => {
  const { context, client } = setUp();
  await client.create('configmaps', configMap('a', { large: 'x' }));
  const seen: object[] = [];
  const informer = createInformer(context, 'configmaps', {}, ({ data: _, ...rest }) => rest);
  informer.handle((next, old) => seen.push(...[next, old].filter((object) => object !== undefined)));
  await informer.synced();
  const b = await client.create('configmaps', configMap('b', { large: 'x' }));
  await informer.seen(b.metadata.resourceVersion);
  await client.delete('configmaps', { namespace: b.metadata.namespace ?? '', name: 'b' });
  await informer.gone(`${b.metadata.namespace}/b`, b.metadata.uid);
  expect(seen).toHaveLength(3);
  for (const object of [...seen, ...informer.list()]) expect(object).not.toHaveProperty('data');
  await informer.stop();
});

test('slow start stops after the first batch that fails', async () => {
  const asked: number[] = [];
  const result = await slowStart(100, async (i) => {
    asked.push(i);
    if (i === 4) throw new Error('quota');
  });
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(result).toMatchObject({ succeeded: 6, error: { message: 'quota' } });
});

test('one leads, the other takes over when the first vanishes, and at once when it stops', async () => {
  const { server, clock, context } = setUp();
  const log: string[] = [];
  const candidate = (identity: string) =>
    runLeaderElection(context, {
      name: 'thing',
      identity,
      onStartedLeading: () => void log.push(`${identity} leads`),
      onStoppedLeading: () => void log.push(`${identity} lost`),
    });
  const a = candidate('a');
  await clock.settle();
  const b = candidate('b');
  await clock.advance(30_000);
  expect(log).toEqual(['a leads']);
  await a.stop();
  await clock.settle();
  expect(log).toEqual(['a leads', 'b leads']);
  server.before = () => {
    throw new Error('unreachable');
  };
  await clock.advance(12_000);
  expect(log.at(-1)).toBe('b lost');
  await b.stop();
});

test('events are counted when they repeat and combined when they flood', async () => {
  const { clock, context, client } = setUp();
  const recorder = createEventRecorder(context, { component: 'kubelet', host: 'n1' });
  const pod: any = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u' } };
  recorder.event(pod, 'Normal', 'Pulled', 'image there', 'spec.containers{web}');
  await clock.advance(3000);
  recorder.event(pod, 'Normal', 'Pulled', 'image there', 'spec.containers{web}');
  await recorder.flush();
  const { items } = await client.list('events');
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    count: 2,
    reason: 'Pulled',
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:03Z',
    involvedObject: { kind: 'Pod', name: 'web', fieldPath: 'spec.containers{web}' },
    source: { component: 'kubelet', host: 'n1' },
  });
  for (let i = 0; i < 15; i++) recorder.event(pod, 'Warning', 'Failed', `attempt ${i}`);
  await recorder.flush();
  const failed = (await client.list('events')).items.filter((event) => event.reason === 'Failed');
  expect(failed).toHaveLength(10);
  expect(failed.at(-1)).toMatchObject({ count: 6, message: '(combined from similar events): attempt 14' });
  for (let i = 0; i < 100; i++) recorder.event(pod, 'Normal', 'Spam', 'spam');
  await recorder.flush();
  const spam = (await client.list('events')).items.find((event) => event.reason === 'Spam');
  expect(spam?.count).toBe(8);
});
