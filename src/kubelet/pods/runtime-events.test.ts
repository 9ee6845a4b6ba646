import { expect, test } from 'vitest';
import type { RuntimeEvent } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { followRuntime } from './runtime-events.ts';

test.each([
  { title: 'each event of a pod of few containers is followed by a reading', containers: 3, events: 20, most: 20 },
  { title: 'those of a pod of many containers share readings', containers: 8_000, events: 16_000, most: 1 },
])('$title', async ({ containers, events, most }) => {
  const clock = new VirtualClock();
  const read: string[] = [];
  const pod = { sandboxes: [], containers: Array.from({ length: containers }) };
  const cache = { get: () => pod, refresh: async (uid: string) => void read.push(uid) };
  const stopped = new AbortController();
  async function* all(): AsyncGenerator<RuntimeEvent> {
    for (let i = 0; i < events; i++) yield { type: 'started', containerId: `${i}`, sandboxId: 's', podUid: 'a' };
    await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
  }
  const tools = { cache, clock, logger: silentLogger, runtime: { events: all } };
  const following = followRuntime(tools as unknown as Parameters<typeof followRuntime>[0], stopped.signal);
  await clock.advance(2_000);
  expect(read).toHaveLength(most);
  stopped.abort();
  await following;
});
