import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { WorkQueue } from './work-queue.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

/** The keys that as many workers get at once. */
async function taken(queue: WorkQueue, workers: number): Promise<string[]> {
  const keys: string[] = [];
  for (let i = 0; i < workers; i++) void queue.next().then((key) => key !== undefined && keys.push(key));
  await clock.advance(0);
  return keys;
}

describe('keys', () => {
  test('wait once, and are worked on once at a time', async () => {
    const queue = new WorkQueue({ clock });
    for (const key of ['a', 'b', 'a']) queue.add(key);
    expect(queue.length).toBe(2);
    expect(await queue.next()).toBe('a');
    queue.add('a');
    expect(await queue.next()).toBe('b');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(await queue.next()).toBe('a');
  });

  test('are delayed longer after each failure, until one works', async () => {
    const queue = new WorkQueue({ clock });
    expect([queue.retry('a'), queue.retry('a'), queue.retry('a')]).toEqual([5, 10, 20]);
    queue.forget('a');
    expect(queue.retry('a')).toBe(5);
  });
});

describe('keys whose work takes long', () => {
  /** Each of them once took ten seconds. */
  async function queueWith(slow: readonly string[]): Promise<WorkQueue> {
    const queue = new WorkQueue({ clock, slowAtOnce: 2 });
    for (const key of slow) queue.add(key);
    await taken(queue, slow.length);
    await clock.advance(10_000);
    for (const key of slow) queue.done(key);
    return queue;
  }

  test('have a part of the workers', async () => {
    const slow = ['s1', 's2', 's3', 's4', 's5'];
    const queue = await queueWith(slow);
    for (const key of [...slow, 'f1', 'f2', 'f3']) queue.add(key);
    expect((await taken(queue, 4)).sort()).toEqual(['f1', 'f2', 's1', 's2']);
    queue.done('f1');
    expect(await taken(queue, 1)).toEqual(['f3']);
    expect(queue.length).toBe(3);
    queue.done('s1');
    expect(await taken(queue, 1)).toEqual(['s3']);
  });

  test('do not have it for ever', async () => {
    const queue = await queueWith(['s1', 's2', 's3']);
    for (const key of ['s1', 's2', 's3']) {
      queue.add(key);
      expect(await queue.next()).toBe(key);
      queue.done(key); // at once
    }
    for (const key of ['s1', 's2', 's3']) queue.add(key);
    expect(await taken(queue, 3)).toEqual(['s1', 's2', 's3']);
  });

  test('take turns with others where there is one worker', async () => {
    const queue = await queueWith(['s1', 's2']);
    for (const key of ['s1', 's2', 'f1', 'f2']) queue.add(key);
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      const key = await queue.next();
      order.push(key);
      if (key?.startsWith('s')) await clock.advance(10_000);
      if (key) queue.done(key);
    }
    expect(order).toEqual(['s1', 'f1', 's2', 'f2']);
  });
});
