import { expect, test } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { PartSequence } from './part-sequence.ts';

test('a part that does not stop is named in the log, and does not keep the others from stopping', async () => {
  const clock = new VirtualClock();
  const errors: object[] = [];
  const stopped: string[] = [];
  const error = (message: string, fields?: object) => void errors.push({ message, ...fields });
  const parts = new PartSequence({ clock, logger: { ...silentLogger, error } });
  const part = (name: string, stop: () => Promise<void>) => parts.start(name, async () => ({ stop }));
  await part('store', async () => void stopped.push('store'));
  await part('kubelet', () => new Promise<void>(() => {}));
  await part('proxy', () => Promise.reject(new Error('no answer')));

  const stopping = parts.stop(20_000);
  await clock.advance(19_000);
  expect(parts.status().map(({ name }) => name)).toEqual(['store', 'kubelet']);
  await clock.advance(2_000);
  await stopping;
  expect(stopped).toEqual(['store']);
  expect(parts.status()).toEqual([]);
  expect(errors).toEqual([
    { message: 'part did not stop cleanly', part: 'proxy', error: 'Error: no answer' },
    { message: 'part does not stop, continuing without it', part: 'kubelet', ms: 20_000 },
  ]);
});
