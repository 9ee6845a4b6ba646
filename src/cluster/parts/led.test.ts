import { expect, test } from 'vitest';
import type { Client, ComponentContext, RunningComponent } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { PartContext } from '../context.ts';
import { electionOf, startLed } from './led.ts';

function setUp(isServer: boolean) {
  const clock = new VirtualClock();
  const failures: string[] = [];
  const parts = {
    ...{ clock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics() },
    fatal: (error: Error) => failures.push(error.message),
    config: { nodeNames: ['one'] },
    ...(isServer && { server: {} }),
  } as unknown as PartContext;
  const running: { context: ComponentContext; stopped: boolean }[] = [];
  let failing = 0;
  const start = async (context: ComponentContext): Promise<RunningComponent> => {
    if (failing-- > 0) throw new Error('no API server answers');
    const component = { context, stopped: false };
    running.push(component);
    return {
      async stop() {
        component.stopped = true;
      },
    };
  };
  const failNext = (count: number) => {
    failing = count;
  };
  const reported = new Map<string, () => unknown>();
  const api = {
    clientFor: () => ({}) as Client,
    reportHealth(component: string, health: () => unknown) {
      reported.set(component, health);
      return () => reported.delete(component);
    },
  };
  const led = startLed(parts, { name: 'x', user: { name: 'x', groups: [] }, api }, start);
  return { clock, parts, failures, running, failNext, reported, led };
}

test('a component of a server that loses its lead starts again, once', async () => {
  const { clock, running, failures, reported, led } = setUp(true);
  const handle = await led;
  expect(reported.get('x')?.()).toBeUndefined();
  running[0].context.fatal(new Error('lost'));
  running[0].context.fatal(new Error('lost'));
  await clock.advance(999);
  expect(reported.get('x')?.()).toBe('starts again');
  expect(running.map(({ stopped }) => stopped)).toEqual([true]);
  expect(handle.current).toBeUndefined();
  await clock.advance(1);
  expect(running.map(({ stopped }) => stopped)).toEqual([true, false]);
  expect(failures).toEqual([]);
  await handle.stop();
  expect(running[1].stopped).toBe(true);
  expect(reported.size).toBe(0);
});

test('a start that fails is tried again', async () => {
  const { clock, running, led, failNext } = setUp(true);
  const handle = await led;
  failNext(2);
  running[0].context.fatal(new Error('lost'));
  await clock.advance(2_999);
  expect(handle.current).toBeUndefined();
  await clock.advance(1);
  expect(handle.current).toBeDefined();
  await handle.stop();
  expect(running.map(({ stopped }) => stopped)).toEqual([true, true]);
});

test('a stop ends the wait for the next start', async () => {
  const { clock, running, led } = setUp(true);
  const handle = await led;
  running[0].context.fatal(new Error('lost'));
  await clock.settle();
  await handle.stop();
  await clock.advance(10_000);
  expect(running).toHaveLength(1);
});

test('in a cluster of one server a failure is that of the process', async () => {
  const { running, failures, led } = setUp(false);
  await led;
  running[0].context.fatal(new Error('broken'));
  expect(failures).toEqual(['broken']);
});

test('only servers elect, each under its own name', () => {
  const [one, two] = [setUp(true).parts, setUp(false).parts];
  expect(electionOf(one)?.identity).toMatch(/^one_[0-9a-f-]{36}$/);
  expect(electionOf(two)).toBeUndefined();
});
