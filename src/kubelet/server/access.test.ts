import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import type { Client } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { AccessError, KubeletAccess } from './access.ts';

interface Caller {
  readonly method?: string;
  readonly certificate?: { CN: string | string[]; O?: string | string[] };
  readonly token?: string;
}

const request = ({ method = 'GET', certificate, token }: Caller) =>
  ({
    method,
    headers: token ? { authorization: `Bearer ${token}` } : {},
    socket: { authorized: certificate !== undefined, getPeerCertificate: () => ({ subject: certificate }) },
  }) as unknown as IncomingMessage;

/** An API server with one token; it allows the actions in `may`: "user verb subresource". */
function server(may: readonly string[]) {
  const asked: string[] = [];
  const client = {
    async create(resource: string, { spec }: any) {
      if (resource === 'tokenreviews') {
        asked.push(`token ${spec.token}`);
        return {
          status: spec.token === 'good' ? { authenticated: true, user: { username: 'robot', groups: ['g'] } } : {},
        };
      }
      const question = `${spec.user} ${spec.resourceAttributes.verb} ${spec.resourceAttributes.subresource}`;
      asked.push(question);
      return { status: { allowed: may.includes(question) } };
    },
  } as unknown as Client;
  return { client, asked };
}

const admin = { CN: 'api', O: 'system:masters' };

test.each<[string, readonly string[], Caller, string, number]>([
  ['no credentials', [], {}, 'pods', 401],
  ['an invalid token', [], { token: 'bad' }, 'pods', 401],
  ['a user of the cluster without rights', [], { certificate: { CN: 'jane' } }, 'exec', 403],
  ['a user who may proxy to nodes', ['api create proxy'], { certificate: admin, method: 'POST' }, 'exec', 200],
  ['the last name of several', ['a get proxy'], { certificate: { CN: ['a', 'b'] } }, 'exec', 403],
  ['and no other', ['b get proxy'], { certificate: { CN: ['a', 'b'] } }, 'exec', 200],
  ['a path with a separate right', ['robot get metrics'], { token: 'good' }, 'metrics', 200],
  ['which opens nothing else', ['robot get metrics'], { token: 'good' }, 'exec', 403],
  ['a guard that nodes/proxy does not replace', ['robot get proxy'], { token: 'good' }, 'metrics', 403],
  ['a guard beside nodes/proxy', ['robot get healthz'], { token: 'good' }, 'healthz', 200],
  ['or nodes/proxy alone', ['robot get proxy'], { token: 'good' }, 'healthz', 200],
  ['health is guarded too', ['robot get configz'], { token: 'good' }, 'healthz', 403],
  ['reading is not writing', ['robot get proxy'], { token: 'good', method: 'POST' }, 'exec', 403],
])('%s', async (_name, may, caller, path, code) => {
  const access = new KubeletAccess(server(may).client, new VirtualClock(), 'node');
  const outcome = await access.check(request(caller), path).then(
    () => 200,
    (error) => (error instanceof AccessError ? error.code : error),
  );
  expect(outcome).toBe(code);
});

test('answers are remembered for a while: consent for 5 minutes, refusal for 30 seconds', async () => {
  const clock = new VirtualClock();
  const { client, asked } = server(['api get proxy']);
  const access = new KubeletAccess(client, clock, 'node');
  const allowed = () => access.check(request({ certificate: admin }), 'exec');
  const refused = () => access.check(request({ certificate: { CN: 'jane' } }), 'exec').catch(() => {});
  for (let i = 0; i < 3; i++) await Promise.all([allowed(), refused()]);
  expect(asked).toEqual(['api get proxy', 'jane get proxy']);
  await clock.advance(31_000);
  await Promise.all([allowed(), refused()]);
  expect(asked.slice(2)).toEqual(['jane get proxy']);
  await clock.advance(5 * 60_000);
  await allowed();
  expect(asked.at(-1)).toBe('api get proxy');
});
