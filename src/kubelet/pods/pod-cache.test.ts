import { expect, test } from 'vitest';
import type { ContainerRuntime, Sandbox } from '../../container-runtime/container-runtime.ts';
import { PodCache } from './pod-cache.ts';

const sandboxOf = (uid: string): Sandbox =>
  ({
    id: `sandbox of ${uid}`,
    config: { uid, attempt: 0 },
    state: 'ready',
    createdAt: 0,
    ips: [],
  }) as unknown as Sandbox;

/** Returns its state at the time of the call, once released. */
class Runtime {
  uids: string[] = [];
  readonly #held: (() => void)[] = [];
  holds = false;

  async listPodSandboxes(uid?: string): Promise<readonly Sandbox[]> {
    const found = this.uids.filter((each) => uid === undefined || each === uid).map(sandboxOf);
    if (this.holds) await new Promise<void>((go) => this.#held.push(go));
    return found;
  }
  async listContainers(): Promise<readonly never[]> {
    return [];
  }
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }
}

function start(...uids: string[]) {
  const runtime = new Runtime();
  runtime.uids = uids;
  const changed: string[] = [];
  const cache = new PodCache(runtime as unknown as ContainerRuntime, (uid) => changed.push(uid));
  return { runtime, cache, changed };
}

test('a reading of one pod changes that pod alone', async () => {
  const { runtime, cache, changed } = start('a', 'b');
  await cache.refresh();
  expect(changed).toEqual(['a', 'b']);
  runtime.uids = ['a'];
  await cache.refresh('a');
  expect(cache.uids()).toEqual(['a', 'b']);
  await cache.refresh('b');
  expect(cache.uids()).toEqual(['a']);
  expect(changed).toEqual(['a', 'b', 'b']);
});

test.each(['', 'a'])(
  'a slow reading does not restore a pod that a later one saw removed (slow: "%s")',
  async (slow) => {
    const { runtime, cache, changed } = start('a');
    await cache.refresh();
    runtime.holds = true;
    const late = cache.refresh(slow);
    runtime.holds = false;
    runtime.uids = [];
    await cache.refresh(slow ? '' : 'a');
    expect(cache.uids()).toEqual([]);
    runtime.release();
    await late;
    expect(cache.uids()).toEqual([]);
    expect(changed).toEqual(['a', 'a']);
  },
);

test('a removed pod leaves no entry', async () => {
  const { runtime, cache } = start('a');
  await cache.refresh();
  runtime.holds = true;
  const late = cache.refresh();
  runtime.holds = false;
  runtime.uids = [];
  await cache.refresh('a');
  runtime.release();
  await late;
  expect(cache.size).toBe(1); // until the next relist: a slow reading may still show it
  await cache.refresh();
  expect(cache.size).toBe(0);
});

test('concurrent calls share the next reading, which is newer than they are', async () => {
  const { runtime, cache } = start('a');
  runtime.holds = true;
  const first = cache.refresh();
  const second = cache.refresh();
  expect(cache.refresh()).toBe(second);
  runtime.uids = ['b'];
  runtime.holds = false;
  runtime.release();
  await Promise.all([first, second]);
  expect(cache.uids()).toEqual(['b']);
});
