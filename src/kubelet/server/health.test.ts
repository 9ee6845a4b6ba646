import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { KubeletTools } from '../tools.ts';
import { kubeletHealth } from './health.ts';

const answersOf = (error?: string) => {
  const health = kubeletHealth({ clock: new VirtualClock(), cache: { error }, devices: {} } as unknown as KubeletTools);
  return { health, ask: (path: string, query = '') => health.answer(path, new URLSearchParams(query)) };
};

test('a kubelet that is well says ok, and names its checks', async () => {
  const { ask } = answersOf();
  expect(await ask('/healthz')).toEqual({ code: 200, text: 'ok' });
  const verbose = '[+]ping ok\n[+]log ok\n[+]syncloop ok\n[+]device-plugin ok\nhealthz check passed\n';
  expect(await ask('/healthz', 'verbose')).toEqual({ code: 200, text: verbose });
  expect(await ask('/healthz/ping')).toEqual({ code: 200, text: 'ok' });
  expect((await ask('/healthz/none')).code).toBe(404);
});

test('a container runtime that does not answer fails the check of the sync loop', async () => {
  const { ask } = answersOf('no answer');
  expect((await ask('/healthz')).text).toContain('[-]syncloop failed: reason withheld');
  expect(await ask('/healthz/syncloop')).toEqual({ code: 500, text: 'internal server error: no answer\n' });
});

test('the results are metrics, which are never empty', async () => {
  const { health, ask } = answersOf();
  expect(health.slis.text()).toMatch(/^process_start_time_seconds \S+$/m);
  await ask('/healthz');
  expect(health.slis.text()).toContain('kubernetes_healthcheck{name="ping",type="healthz"} 1');
});
