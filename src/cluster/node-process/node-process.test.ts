// The nodes' process as its main process sees it, in virtual time.

import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { PartStatus } from '../part-sequence.ts';
import type { FromNodeProcess, NodeProcessConfig, ToNodeProcess } from './messages.ts';
import { NodeProcess, type NodeProgram } from './node-process.ts';

/** A process controlled by the test. */
class FakeProgram implements NodeProgram {
  static nextPid = 1;
  readonly pid = FakeProgram.nextPid++;
  readonly received: ToNodeProcess['type'][] = [];
  readonly #ended = Promise.withResolvers<string>();
  readonly ended = this.#ended.promise;
  parts: readonly PartStatus[] = [{ name: 'kubelet', startMs: 5 }];
  isDeaf = false;
  isKilled = false;
  say: (message: FromNodeProcess) => void = () => {};

  send(message: ToNodeProcess): void {
    this.received.push(message.type);
    if (this.isDeaf) return;
    if (message.type === 'status') this.say({ type: 'status', id: message.id, parts: this.parts, memoryBytes: 7 });
    if (message.type === 'stop') this.end('exit code 0');
  }
  onMessage(handler: (message: FromNodeProcess) => void): void {
    this.say = handler;
  }
  kill(): void {
    this.isKilled = true;
    this.end('killed by SIGKILL');
  }
  end(why: string): void {
    this.#ended.resolve(why);
  }
}

const config = {} as NodeProcessConfig;
let clock: VirtualClock;
let programs: FakeProgram[];
let steps: string[];
let nodes: NodeProcess;
const last = () => programs[programs.length - 1];
const problems = async () => (await nodes.status()).parts.map((part) => part.problem);

beforeEach(() => {
  clock = new VirtualClock();
  programs = [];
  steps = [];
  nodes = new NodeProcess(
    { clock, logger: silentLogger },
    async () => {
      const program = new FakeProgram();
      programs.push(program);
      return program;
    },
    (name) => steps.push(name),
  );
});

async function started(): Promise<void> {
  const starting = nodes.start(() => config);
  await clock.settle();
  last().say({ type: 'step', name: 'kubelet', ms: 5 });
  last().say({ type: 'ready' });
  await starting;
}

test('it is launched before the start message, and reports its steps', async () => {
  await clock.settle();
  expect(last().received).toEqual([]);
  await started();
  expect(steps).toEqual(['kubelet']);
  expect(await nodes.status()).toEqual({
    parts: [{ name: 'kubelet', startMs: 5 }],
    process: { pid: last().pid, memoryBytes: 7 },
  });
});

describe('a first start that fails is reported', () => {
  test('with the error of a part', async () => {
    const starting = nodes.start(() => config);
    await clock.settle();
    last().say({ type: 'failed', message: 'port taken', code: 'EADDRINUSE', port: 10250 });
    await expect(starting).rejects.toMatchObject({ message: 'port taken', code: 'EADDRINUSE', port: 10250 });
  });

  test('with the end of the process', async () => {
    const starting = nodes.start(() => config);
    await clock.settle();
    last().end('exit code 1');
    await expect(starting).rejects.toThrow('the process of the nodes ended: exit code 1');
    await nodes.stop();
    expect(programs).toHaveLength(1);
  });
});

test('a process that is replaced begins with the configuration of that time', async () => {
  const asked: string[] = ['old', 'new'];
  const given: string[] = [];
  const starting = nodes.start(() => {
    given.push(asked.shift() ?? '');
    return config;
  });
  await clock.settle();
  last().say({ type: 'ready' });
  await starting;
  expect(given).toEqual(['old']);
  await nodes.replace();
  await clock.advance(1_000);
  expect(programs).toHaveLength(2);
  expect([given, last().received]).toEqual([['old', 'new'], ['start']]);
});

test('a process that ends is restarted, and the status has the reason', async () => {
  await started();
  last().end('killed by SIGKILL');
  await clock.settle();
  expect(await problems()).toEqual(['the process of the nodes ended (killed by SIGKILL); it is started again']);
  await clock.advance(999);
  expect(programs).toHaveLength(1);
  await clock.advance(1);
  expect(programs).toHaveLength(2);
  last().say({ type: 'ready' });
  await clock.settle();
  expect(last().received[0]).toBe('start');
  expect((await nodes.status()).parts).toEqual([{ name: 'kubelet', startMs: 5, restarts: 1 }]);
});

test('failed starts back off up to 10 s, and a steady run resets the back-off', async () => {
  await started();
  const waits: number[] = [];
  last().end('exit code 1');
  for (let round = 0; round < 7; round++) {
    const count = programs.length;
    let seconds = 0;
    while (programs.length === count) {
      await clock.advance(1_000);
      seconds++;
    }
    waits.push(seconds);
    last().say({ type: 'failed', message: 'no containerd' });
    last().end('exit code 1');
    await clock.settle();
    expect(await problems()).toEqual(['the process of the nodes ended (no containerd); it is started again']);
  }
  expect(waits).toEqual([1, 2, 4, 8, 10, 10, 10]);
  await clock.advance(10_000);
  last().say({ type: 'ready' });
  await clock.advance(60_001);
  last().end('exit code 1');
  const count = programs.length;
  await clock.advance(1_000);
  expect(programs).toHaveLength(count + 1);
});

test('parts that stop by themselves are a problem, before and after their process ends', async () => {
  await started();
  last().parts = [];
  expect(await problems()).toEqual(['it has stopped']);
  last().end('exit code 0');
  await clock.settle();
  expect(await problems()).toEqual(['the process of the nodes ended (exit code 0); it is started again']);
});

test('a process that does not answer is a problem, not a wait without end', async () => {
  await started();
  last().isDeaf = true;
  const asked = problems();
  await clock.advance(5_000);
  expect(await asked).toEqual([`the process ${last().pid} does not answer`]);
});

describe('stop', () => {
  test('ends the process, and none is started again', async () => {
    await started();
    await nodes.stop();
    await clock.advance(60_000);
    expect(last().received).toContain('stop');
    expect(programs).toHaveLength(1);
    expect(last().isKilled).toBe(false);
  });

  test('kills a process that does not end in time', async () => {
    await started();
    last().isDeaf = true;
    const stopping = nodes.stop();
    await clock.advance(25_000);
    await stopping;
    expect(last().isKilled).toBe(true);
  });

  test('during the wait for a new start launches none', async () => {
    await started();
    last().end('exit code 1');
    await clock.settle();
    await nodes.stop();
    await clock.advance(60_000);
    expect(programs).toHaveLength(1);
  });
});
