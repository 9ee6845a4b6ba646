import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { type Arrival, type Outcome, type QueueConfig, QueueSet } from './queue-set.ts';
import { hashOfFlow } from './shuffle.ts';

let clock: VirtualClock;
let demand = 0;
beforeEach(() => {
  clock = new VirtualClock();
});

const queued: QueueConfig = { queues: 16, handSize: 4, queueLengthLimit: 10, isExempt: false };
const rejecting: QueueConfig = { queues: 0, handSize: 1, queueLengthLimit: 0, isExempt: false };
const setOf = (config: QueueConfig, limit: number) =>
  new QueueSet(clock, config, limit, ({ seatsInUse, seatsWaiting }) => (demand = seatsInUse + seatsWaiting));

const arrival = (flow: string, over: Partial<Arrival> = {}, seats = 1): Arrival => ({
  width: { seats, finalSeats: 0, additionalMs: 0 },
  hash: hashOfFlow('schema', flow),
  schema: 'schema',
  distinguisher: flow,
  user: flow,
  patienceMs: 15_000,
  signal: new AbortController().signal,
  ...over,
});

/** Starts requests and records their outcomes. */
class Trial {
  readonly #set: QueueSet;
  readonly running: { flow: string; release: () => void }[] = [];
  readonly started: string[] = [];
  readonly rejected: string[] = [];

  constructor(set: QueueSet) {
    this.#set = set;
  }

  start(flow: string, over: Partial<Arrival> = {}, seats = 1): void {
    const note = (outcome: Outcome) => {
      if (!outcome.isGranted) return void this.rejected.push(`${flow} ${outcome.reason}`);
      this.started.push(flow);
      this.running.push({ flow, release: () => outcome.release() });
    };
    const outcome = this.#set.start(arrival(flow, over, seats));
    if (outcome instanceof Promise) void outcome.then(note);
    else note(outcome);
  }

  async finish(count = 1): Promise<void> {
    for (const { release } of this.running.splice(0, count)) release();
    await clock.settle();
  }
}

describe('seats', () => {
  test('are bounded; requests beyond them wait, and run when others end', async () => {
    const trial = new Trial(setOf(queued, 2));
    for (let i = 0; i < 3; i++) trial.start('a');
    expect([trial.running.length, demand]).toEqual([2, 3]);
    await trial.finish();
    expect([trial.running.length, demand]).toEqual([2, 2]);
  });

  test('of a level without queues: requests beyond them are rejected at once', () => {
    const trial = new Trial(setOf(rejecting, 1));
    trial.start('a');
    trial.start('a');
    expect(trial.rejected).toEqual(['a concurrency-limit']);
  });

  test('are unlimited for exempt requests', () => {
    const trial = new Trial(setOf({ ...rejecting, isExempt: true }, 0));
    for (let i = 0; i < 100; i++) trial.start('a');
    expect(trial.running).toHaveLength(100);
  });

  test('of a wide request count by their number; one that is wider than the limit runs alone', async () => {
    const trial = new Trial(setOf(queued, 4));
    trial.start('a', {}, 3);
    trial.start('b', {}, 2);
    expect(trial.started).toEqual(['a']);
    await trial.finish();
    expect(trial.started).toEqual(['a', 'b']);
    trial.start('c', {}, 9);
    expect(trial.started).not.toContain('c');
    await trial.finish();
    expect(trial.started).toContain('c');
  });

  test('stay occupied for a while after a write with many watchers', async () => {
    const trial = new Trial(setOf(queued, 2));
    trial.start('a', { width: { seats: 1, finalSeats: 2, additionalMs: 50 } });
    trial.start('b');
    await trial.finish();
    expect(trial.started).toEqual(['a']);
    await clock.advance(50);
    expect(trial.started).toEqual(['a', 'b']);
  });

  test('change with the limit', async () => {
    const set = setOf(queued, 1);
    const trial = new Trial(set);
    for (let i = 0; i < 3; i++) trial.start('a');
    set.configure(queued, 3);
    await clock.settle();
    expect(trial.running).toHaveLength(3);
  });
});

describe('queues', () => {
  test('that are full reject', () => {
    const trial = new Trial(setOf({ ...queued, queues: 1, handSize: 1, queueLengthLimit: 2 }, 1));
    for (let i = 0; i < 4; i++) trial.start('a');
    expect(trial.rejected).toEqual(['a queue-full']);
  });

  test('reject requests that waited too long', async () => {
    const set = setOf(queued, 1);
    const trial = new Trial(set);
    trial.start('a');
    trial.start('b', { patienceMs: 1_000 });
    await clock.advance(999);
    expect(trial.rejected).toEqual([]);
    await clock.advance(1);
    expect(trial.rejected).toEqual(['b time-out']);
    await trial.finish();
    expect(set.isIdle).toBe(true);
  });

  test('drop requests that their client cancelled', async () => {
    const set = setOf(queued, 1);
    const trial = new Trial(set);
    const client = new AbortController();
    trial.start('a');
    trial.start('b', { signal: client.signal });
    client.abort();
    await clock.settle();
    expect(trial.rejected).toEqual(['b cancelled']);
    expect([set.waiting, demand]).toEqual([0, 1]);
  });

  test('that the configuration has no more are served until they are empty', async () => {
    const set = setOf({ ...queued, queues: 64 }, 1);
    const trial = new Trial(set);
    for (let i = 0; i < 40; i++) trial.start(`flow-${i}`);
    set.configure({ ...queued, queues: 2, handSize: 1 }, 1);
    for (let i = 0; i < 40; i++) await trial.finish();
    expect(trial.started).toHaveLength(40);
    expect([set.isIdle, set.queues.length]).toEqual([true, 2]);
  });
});

describe('fairness', () => {
  test('a flow of a few requests does not wait for a flood', async () => {
    const trial = new Trial(setOf({ ...queued, queues: 64, handSize: 6, queueLengthLimit: 1_000 }, 4));
    for (let i = 0; i < 1_000; i++) trial.start('flood');
    for (let i = 0; i < 5; i++) trial.start('quiet');
    const before = trial.started.length;
    for (let i = 0; i < 40; i++) {
      await clock.advance(1);
      await trial.finish();
    }
    const next = trial.started.slice(before);
    expect(next.filter((flow) => flow === 'quiet')).toHaveLength(5);
  });

  test('two floods share the seats evenly, in any order', async () => {
    const trial = new Trial(setOf({ ...queued, queueLengthLimit: 1_000, queues: 2, handSize: 1 }, 4));
    // Two flows that are dealt different queues.
    for (let i = 0; i < 300; i++) trial.start('a', { hash: 0n });
    for (let i = 0; i < 300; i++) trial.start('b', { hash: 1n });
    const before = trial.started.length;
    for (let i = 0; i < 200; i++) {
      await clock.advance(2);
      await trial.finish();
    }
    const share = trial.started.slice(before).filter((flow) => flow === 'a').length / 200;
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  test('wide requests of one flow cost it turns', async () => {
    const trial = new Trial(setOf({ ...queued, queueLengthLimit: 1_000, queues: 2, handSize: 1 }, 4));
    for (let i = 0; i < 300; i++) trial.start('wide', { hash: 0n }, 4);
    for (let i = 0; i < 300; i++) trial.start('narrow', { hash: 1n });
    for (let i = 0; i < 250; i++) {
      await clock.advance(3);
      await trial.finish();
    }
    const wide = trial.started.filter((flow) => flow === 'wide').length;
    const narrow = trial.started.filter((flow) => flow === 'narrow').length;
    // Four times as wide; the first that came were all wide ones.
    expect(narrow / wide).toBeGreaterThan(2);
  });
});
