import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../machinery/logger.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { ManifestUrl } from './manifest-url.ts';
import { mostBytes } from './manifests.ts';

let server: Server;
let answer: { code?: number; body?: string; hangs?: boolean };
let headers: IncomingHttpHeaders;
let errors: string[];
const logger: Logger = { ...silentLogger, error: (_, { error } = {}) => void errors.push(String(error)) };
const never = new AbortController().signal;

beforeEach(async () => {
  errors = [];
  answer = {};
  server = createServer((request, response) => {
    headers = request.headers;
    response.writeHead(answer.code ?? 200);
    if (answer.hangs) response.write('{');
    else response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const source = (clock: typeof systemClock | VirtualClock = systemClock, credentials = '') => {
  const url = `http://${credentials}127.0.0.1:${(server.address() as AddressInfo).port}/pods`;
  return new ManifestUrl({ url, headers: { 'X-Token': ['a', 'b'] }, nodeName: 'n' }, clock, logger);
};
const pod = (name: string, more: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
  spec: { containers: [{ name: 'main', image: 'example.com/app:1' }] },
  ...more,
});
const names = async (manifests: ManifestUrl) =>
  (await manifests.read(never))?.map(({ metadata }) => [
    metadata.name,
    metadata.annotations?.['kubernetes.io/config.source'],
  ]);

test('one pod, with the headers of the configuration; the same answer is nothing new', async () => {
  const manifests = source(systemClock, 'ann:s%40crt@');
  answer = { body: JSON.stringify(pod('a')) };
  expect(await names(manifests)).toEqual([['a-n', 'http']]);
  expect(headers).toMatchObject({ 'x-token': 'a, b', authorization: `Basic ${btoa('ann:s@crt')}` });
  expect(manifests.place).not.toContain('s%40crt');
  expect(await manifests.read(never)).toBeUndefined();
  answer = { body: 'apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: m, image: i}]}' };
  expect(await names(manifests)).toEqual([['b-n', 'http']]);
  expect(errors).toEqual([]);
});

test('a list of pods, whose items need no kind; none when it is empty', async () => {
  const manifests = source();
  const { apiVersion: _, kind: __, ...bare } = pod('b');
  answer = { body: JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [pod('a'), bare] }) };
  expect((await names(manifests))?.map(([name]) => name)).toEqual(['a-n', 'b-n']);
  answer = { body: JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [] }) };
  expect(await names(manifests)).toEqual([]);
});

test.each<[error: string | RegExp, answer: { code?: number; body?: string }]>([
  ['the server answered 503 Service Unavailable', { code: 503, body: JSON.stringify(pod('a')) }],
  ['couldn\'t parse as pod: kind is "Node", not Pod', { body: JSON.stringify(pod('a', { kind: 'Node' })) }],
  [/^invalid pod: \[spec.containers: Required value/, { body: JSON.stringify(pod('a', { spec: { containers: [] } })) }],
  [
    'duplicate pod name "default/a-n"',
    { body: JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [pod('a'), pod('a')] }) },
  ],
  ["couldn't parse as a list of pods", { body: JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [1] }) }],
  [`the answer has more than ${mostBytes} bytes`, { body: ' '.repeat(mostBytes + 1) }],
])('%s: nothing new is known, and it is logged once', async (error, given) => {
  const manifests = source();
  answer = given;
  expect(await manifests.read(never)).toBeUndefined();
  expect(await manifests.read(never)).toBeUndefined();
  expect(errors.length).toBeLessThanOrEqual(1 + Number(given.code === undefined));
  expect(errors[0]).toMatch(error);
});

test('an answer without content means no pods', async () => {
  const manifests = source();
  answer = { body: JSON.stringify(pod('a')) };
  await manifests.read(never);
  answer = { body: '' };
  expect(await manifests.read(never)).toEqual([]);
  expect(await manifests.read(never)).toBeUndefined();
  expect(errors).toEqual(['zero-length data received']);
});

test('a server that is away, and one that does not end its answer', async () => {
  const clock = new VirtualClock();
  const hanging = source(clock);
  answer = { hangs: true };
  const read = hanging.read(never);
  await expect.poll(() => headers?.['x-token']).toBeDefined();
  await clock.advance(10_000);
  expect(await read).toBeUndefined();
  const away = source();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await away.read(never)).toBeUndefined();
  expect(errors).toEqual(['no answer within 10 s', expect.stringMatching(/ECONNREFUSED/)]);
});
