import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const limitMs = 60_000;
const maps = '/api/v1/namespaces/default/configmaps';
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Writes of objects named `slow` wait until they are released. */
async function started() {
  const clock = new VirtualClock();
  const releases: (() => void)[] = [];
  const plugin: AdmissionPlugin = {
    name: 'Waiting',
    admit: ({ name }) => (name === 'slow' ? new Promise<void>((resolve) => releases.push(resolve)) : undefined),
  };
  const server = await startTestServer({ clock, admission: [plugin], config: { requestTimeoutMs: limitMs } });
  stops.push(() => server.stop());
  const { url } = await server.listen({ port: 0 });
  const post = (query = '') =>
    fetch(`${url}${maps}${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'slow' } }),
    });
  const waiting = () => expect.poll(() => releases.length).toBeGreaterThan(0);
  return { clock, server, url, post, releases, waiting };
}

const sample = (server: TestServer, line: RegExp) => Number(line.exec(server.server.metrics.text())?.[1]);

test.each([
  ['', limitMs],
  ['?timeout=5s', 5_000],
  ['?timeout=0s', limitMs],
  ['?timeout=-1s', limitMs],
  ['?timeout=10m', limitMs],
])('a write with the query %j ends after %i ms', async (query, ms) => {
  const { clock, server, post, releases, waiting } = await started();
  let hasAnswer = false;
  const asked = post(query).finally(() => {
    hasAnswer = true;
  });
  await waiting();
  await clock.advance(ms - 100);
  expect(hasAnswer).toBe(false);
  await clock.advance(200);
  const answer = await asked;
  expect(answer.status).toBe(504);
  expect(await answer.json()).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  });
  expect(sample(server, /^apiserver_request_terminations_total\{.*code="504",.*verb="POST",.*\} (\d+)$/m)).toBe(1);
  for (const release of releases) release();
  const late = /^apiserver_request_post_timeout_total\{source="timeout-handler",status="\w+"\} (\d+)$/m;
  await expect.poll(() => sample(server, late)).toBe(1);
});

test.each([
  ['soon', 'time: invalid duration "soon"'],
  ['5', 'time: missing unit in duration "5"'],
])('the timeout %s is refused', async (text, fault) => {
  const { url } = await started();
  const answer = await fetch(`${url}${maps}?timeout=${text}`);
  expect(answer.status).toBe(400);
  expect(((await answer.json()) as { message: string }).message).toBe(
    `invalid timeout specified in the request URL - ${fault}`,
  );
});

test('a watch lasts longer', async () => {
  const { clock, url } = await started();
  const ended = new AbortController();
  const answer = await fetch(`${url}${maps}?watch=1&timeout=1s`, { signal: ended.signal });
  let isOver = false;
  const read = answer.text().then(
    () => (isOver = true),
    () => {},
  );
  await clock.advance(2 * limitMs);
  expect(isOver).toBe(false);
  ended.abort();
  await read;
});

test('the work of a late request gets the aborted signal', async () => {
  const clock = new VirtualClock();
  const signals: AbortSignal[] = [];
  const authorizer = {
    name: 'hanging',
    authorize: () => new Promise<never>(() => {}),
  };
  const server = await startTestServer({ clock, authorizers: [], config: { requestTimeoutMs: limitMs } });
  stops.push(() => server.stop());
  const hanging = { ...authorizer };
  (server.server.authorizers as unknown[]).push(hanging);
  const { url } = await server.listen({ port: 0 });
  (server.server.authenticators as unknown[]).unshift({
    name: 'noting',
    authenticate: async ({ signal }: { signal: AbortSignal }) => void signals.push(signal),
  });
  const asked = fetch(url + maps);
  await expect.poll(() => signals.length).toBe(1);
  await clock.advance(limitMs + 1);
  expect((await asked).status).toBe(504);
  expect(signals[0].aborted).toBe(true);
});
