import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../machinery/logger.ts';
import { seededRandom } from '../../../machinery/random.ts';
import { systemClock } from '../../../machinery/time/clock.ts';
import { RetryAfterError } from '../../provider.ts';
import { Caller } from './caller.ts';

interface Request {
  readonly path: string;
  readonly body: { readonly requestID: string; readonly cluster: string };
}
type Answer = (request: Request, response: ServerResponse) => void;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

/** Without delays between the attempts. */
const clock = { ...systemClock, sleep: async () => {} };

async function start(answer: Answer, { retries = 1, timeoutMs = 5_000 } = {}) {
  const requests: Request[] = [];
  const log: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const body = JSON.parse(await bodyOf(request));
    requests.push({ path: request.url ?? '', body });
    answer(requests[requests.length - 1], response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = {
    url: `http://127.0.0.1:${port}/cloud`,
    cluster: 'c',
    offers: new Set<never>(),
    timeoutMs,
    retries,
  };
  const note = (message: string) => void log.push(message);
  const logger = { ...silentLogger, warn: note, info: note };
  const state = { holdsLead: true };
  const caller = new Caller(
    { ...config, files: {} },
    { clock, random: seededRandom(1), logger, holdsLead: () => state.holdsLead },
  );
  ends.push(() => {
    caller.stop();
    server.closeAllConnections();
    server.close();
  });
  return { caller, requests, log, server, state };
}

const say =
  (code: number, more: object = {}): Answer =>
  ({ body }, response) =>
    response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(JSON.stringify({ requestID: body.requestID, ...more }));

test('a call is a POST that names the cluster, and its answer repeats the id', async () => {
  const { caller, requests } = await start(say(200, { exists: true }));
  expect(await caller.call('find-instance', { node: 'n' })).toMatchObject({ exists: true });
  expect(requests).toMatchObject([
    { path: '/cloud/v1/find-instance', body: { apiVersion: 'cloud.coracle.local/v1', cluster: 'c', node: 'n' } },
  ]);
});

describe('no answer', () => {
  test.each<[string, Answer]>([
    ['that never comes', () => {}],
    ['of which only a part comes', (_, response) => response.writeHead(200).write('{"exi')],
  ])('%s', async (_, answer) => {
    const { caller, requests } = await start(answer, { timeoutMs: 200 });
    await expect(caller.call('get', {})).rejects.toThrow(/^get: no answer within 0\.2 s$/);
    expect(new Set(requests.map(({ body }) => body.requestID)).size).toBe(2);
  });

  test.each<[string, Answer, RegExp, number]>([
    ['but a closed connection', (_, response) => response.destroy(), /^get: (socket hang up|.*ECONNRESET)/, 2],
    ['but an error that may pass', say(503, { message: 'soon' }), /^get: soon$/, 2],
    ['but an error', say(403, { message: 'who are\u0000you?' }), /^get: who are you\?$/, 1],
    [
      'but an error without a text',
      (_, response) => response.writeHead(404).end('<html>'),
      /^get: HTTP status 404$/,
      1,
    ],
    ['but a page', (_, response) => response.writeHead(200).end('<html>'), /^get: the answer is no JSON object$/, 1],
    ['but a list', (_, response) => response.writeHead(200).end('[]'), /^get: the answer is no JSON object$/, 1],
    ['but one of a cache', say(200, { requestID: 'x', exists: false }), /does not repeat the requestID/, 1],
    ['but a flood', (_, response) => flood(response), /larger than 4 MiB/, 2],
    ['but deep nesting', (_, response) => response.writeHead(200).end('['.repeat(1e6)), /no JSON object/, 1],
    ['but another place', (_, response) => response.writeHead(307, { location: '/x' }).end(), /HTTP status 307/, 1],
  ])('%s', async (_, answer, fault, attempts) => {
    const { caller, requests } = await start(answer);
    await expect(caller.call('get', {})).rejects.toThrow(fault);
    expect(requests.length).toBe(attempts);
    expect(new Set(requests.map(({ body }) => body.requestID)).size).toBe(attempts);
  });

  test('but a time to try again', async () => {
    const { caller, requests } = await start(say(503, { message: 'building', retryAfterSeconds: 7 }));
    const error = await caller.call('ensure', {}).catch((reason) => reason);
    expect([error instanceof RetryAfterError, error.message, error.afterMs]).toEqual([true, 'ensure: building', 7_000]);
    expect(requests.length).toBe(1);
  });
});

function flood(response: ServerResponse): void {
  response.writeHead(200);
  const piece = Buffer.alloc(1024 * 1024, 'x');
  for (let i = 0; i < 8; i++) response.write(piece);
}

test('a cloud that goes and comes back is logged once each, and is a problem meanwhile', async () => {
  let isUp = false;
  const { caller, log } = await start((request, response) => (isUp ? say(200) : say(503))(request, response));
  for (let i = 0; i < 3; i++) await caller.call('get', {}).catch(() => {});
  expect([caller.problem, log]).toEqual(['HTTP status 503', ['cloud provider does not answer']]);
  isUp = true;
  await caller.call('get', {});
  expect([caller.problem, log.slice(1)]).toEqual([undefined, ['cloud provider answers again']]);
});

test('a process that lost its lead sends nothing', async () => {
  const { caller, requests, state } = await start(say(200));
  state.holdsLead = false;
  await expect(caller.call('delete-load-balancer', {})).rejects.toThrow(/does not lead any more/);
  expect([requests.length, caller.problem]).toEqual([0, undefined]);
});

test('a stop ends calls', async () => {
  const { caller } = await start(() => {}, { retries: 5 });
  const call = caller.call('get', {});
  setTimeout(() => caller.stop(), 20);
  await expect(call).rejects.toThrow('the cloud-controller-manager stops');
});
