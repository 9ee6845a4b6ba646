import { describe, expect, test } from 'vitest';
import { notFound, type Secret } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';

const clock = new VirtualClock();
const encoded = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
const data = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
};

function enter(token: string, more: Record<string, string> = {}, over: Partial<Secret> = {}) {
  const secret = {
    metadata: { name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    data: encoded({ ...data, ...more }),
    ...over,
  };
  const client = {
    get: async (_: string, { namespace, name }: { namespace: string; name: string }) => {
      if (namespace === 'kube-system' && name === 'bootstrap-token-abcdef') return secret;
      throw notFound({ group: '', resource: 'secrets' }, name);
    },
  } as unknown as Client;
  return bootstrapTokens(() => client, clock).authenticateToken?.(token, []);
}

const good = 'abcdef.0123456789abcdef';
const at = (ms: number) => new Date(clock.now() + ms).toISOString();

describe('bootstrap tokens', () => {
  test('name the token and its groups', async () =>
    expect(
      await enter(good, { 'auth-extra-groups': 'system:bootstrappers:zone-b,system:bootstrappers:zone-a' }),
    ).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: [
        'system:bootstrappers',
        'system:bootstrappers:zone-a',
        'system:bootstrappers:zone-b',
        'system:authenticated',
      ],
    }));

  test('count until they expire', async () => {
    expect(await enter(good, { expiration: at(1_000) })).toBeDefined();
    expect(await enter(good, { expiration: at(0) })).toBeUndefined();
  });

  test.each([
    { case: 'a token of another form', token: 'abcdef.0123456789abcde' },
    { case: 'a token that does not exist', token: 'aaaaaa.0123456789abcdef' },
    { case: 'another secret', token: 'abcdef.0123456789abcdee' },
    { case: 'a secret for other uses', token: good, more: { 'usage-bootstrap-authentication': 'false' } },
    { case: 'a secret with another id in it', token: good, more: { 'token-id': 'aaaaaa' } },
    { case: 'a time that cannot be read', token: good, more: { expiration: 'soon' } },
    { case: 'a group that is not for bootstrapping', token: good, more: { 'auth-extra-groups': 'system:masters' } },
    { case: 'a secret of another type', token: good, over: { type: 'Opaque' } },
    {
      case: 'a secret that is being deleted',
      token: good,
      over: { metadata: { name: 'bootstrap-token-abcdef', deletionTimestamp: '2026-01-01T00:00:00Z' } },
    },
  ])('$case is not one', async ({ token, more, over }) =>
    expect(
      await enter(token, more as Record<string, string> | undefined, over as unknown as Partial<Secret>),
    ).toBeUndefined(),
  );
});
