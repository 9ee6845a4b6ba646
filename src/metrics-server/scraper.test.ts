import { expect, test } from 'vitest';
import type { Client } from '../client/client.ts';
import { silentLogger } from '../machinery/logger.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { Scraper } from './scraper.ts';

const usage = 'node_cpu_usage_seconds_total 1 5\nnode_memory_working_set_bytes 2 5\n';

test('a node that does not end its answer, or sends too much, is left out, and its request is ended', async () => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const items = ['good', 'slow', 'huge'].map((name) => ({ metadata: { name } }));
  const client = { list: async () => ({ items }) } as unknown as Client;
  const scraper = new Scraper({ client, clock, logger: silentLogger }, (node, signal) => {
    signal.addEventListener('abort', () => ended.push(node));
    if (node === 'slow') return new Promise(() => {});
    return Promise.resolve(node === 'huge' ? `${usage}${'#'.repeat(5 << 20)}` : usage);
  });
  const reading = scraper.scrapes();
  await clock.advance(20_000);
  expect([...(await reading).keys()]).toEqual(['good']);
  expect(new Set(ended)).toEqual(new Set(['good', 'slow', 'huge']));
  scraper.stop();
});
