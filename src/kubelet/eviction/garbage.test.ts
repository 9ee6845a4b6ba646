import { expect, test } from 'vitest';
import type { ContainerStatus, Image } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { ImageGarbageConfig } from '../config.ts';
import type { KubeletTools } from '../tools.ts';
import { Garbage } from './garbage.ts';
import type { Evictable } from './local-storage.ts';

const gi = 2 ** 30;
const image = (id: string, more: Partial<Image> = {}): Image => ({
  ...{ id, repoTags: [`${id}:1`], repoDigests: [`${id}@sha256:1`], sizeBytes: gi },
  ...more,
});

function subject(images: Image[], inUse: string[] = [], imageGarbage: Partial<ImageGarbageConfig> = {}) {
  const clock = new VirtualClock(0);
  const events: string[] = [];
  const removed: string[] = [];
  const running = [...inUse];
  const runtime = {
    listImages: async () => images.filter(({ id }) => !removed.includes(id)),
    listContainers: async () => running.map((name) => ({ image: name, imageRef: '' }) as ContainerStatus),
    removeImage: async (id: string) => void removed.push(id),
    removeContainer: async (id: string) => void removed.push(id),
  };
  const containers = [
    { id: 'dead', state: 'exited' },
    { id: 'alive', state: 'running' },
  ];
  const cache = { get: () => ({ sandboxes: [], containers }) };
  const config = { imageGarbage };
  const tools = { clock, runtime, cache, config, logger: silentLogger } as unknown as KubeletTools;
  const garbage = new Garbage(tools, (_type, reason, message) => void events.push(`${reason}: ${message}`));
  return { garbage, clock, events, removed, running };
}
const space = (availableGi: number) => ({ capacity: 100 * gi, available: availableGi * gi });
const later = 3 * 60_000;

test('below the high mark no image is removed', async () => {
  const { garbage, clock, removed } = subject([image('a')]);
  await garbage.collect(space(50));
  await clock.advance(later);
  await garbage.collect(space(16));
  expect(removed).toEqual([]);
});

test('above it images go, longest unused first, until the low mark', async () => {
  const { garbage, clock, removed, running } = subject([image('a'), image('b'), image('c'), image('d')], ['a:1', 'd']);
  await garbage.collect(space(50));
  await clock.advance(later);
  running.shift(); // a was used until now
  await garbage.collect(space(18));
  expect(removed).toEqual([]);
  await garbage.collect(space(15 - 1));
  expect(removed).toEqual(['b', 'c', 'a']); // six are to go, d is in use
});

test('young, pinned and used images stay, and an insufficient result is reported', async () => {
  const { garbage, clock, events, removed } = subject(
    [image('pinned', { pinned: true }), image('used'), image('old')],
    ['used@sha256:1'],
  );
  await garbage.collect(space(10));
  expect(removed).toEqual([]);
  await clock.advance(later);
  await garbage.collect(space(10));
  expect(removed).toEqual(['old']);
  expect(events.at(-1)).toBe(
    "FreeDiskSpaceFailed: Insufficient free disk space on the node's image filesystem (90% of 100.0 GiB used). " +
      'Failed to free sufficient space by deleting unused images (freed 1073741824 bytes). ' +
      'Investigate disk usage, as it could be used by active images, logs, volumes, or other data.',
  );
});

test('when disk is short all unused images go, and the containers of ended pods', async () => {
  const { garbage, clock, removed } = subject([image('a'), image('b')], ['b']);
  await garbage.collect(space(50));
  await clock.advance(later);
  const pod = (hasEnded: boolean) => ({ pod: { metadata: { uid: 'u' } }, hasEnded }) as unknown as Evictable;
  await garbage.reclaim([pod(false)]);
  expect(removed).toEqual(['a']);
  await garbage.reclaim([pod(true)]);
  expect(removed).toEqual(['a', 'dead']);
});

test('the marks are those of the configuration', async () => {
  const images = [image('a', { sizeBytes: 8 * gi }), image('b', { sizeBytes: 8 * gi })];
  const { garbage, clock, removed } = subject(images, [], { highThresholdPercent: 50, lowThresholdPercent: 45 });
  await garbage.collect(space(48));
  await clock.advance(later);
  await garbage.collect(space(48));
  expect(removed).toEqual(['a']);
});

test('an image that no container used for the maximum age goes, also while there is space', async () => {
  const config = { maximumAgeMs: 3_600_000 };
  const { garbage, clock, removed, running } = subject([image('a'), image('b')], ['b:1'], config);
  await garbage.collect(space(90));
  await clock.advance(3_500_000);
  await garbage.collect(space(90));
  expect(removed).toEqual([]);
  running.length = 0;
  await clock.advance(200_000);
  await garbage.collect(space(90));
  expect(removed).toEqual(['a']);
  await clock.advance(3_500_000);
  await garbage.collect(space(90));
  expect(removed).toEqual(['a', 'b']);
});
