// Tokens by which machines join a cluster.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import { timingSafeEqual } from 'node:crypto';
import {
  bootstrapTokenPrefix,
  hasExpired,
  ignoreNotFound,
  parseBootstrapToken,
  readBootstrapTokenSecret,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type Authenticator, tokenAuthenticator } from './authentication.ts';

export function bootstrapTokens(client: () => Client, clock: Clock): Authenticator {
  return tokenAuthenticator('bootstrap-token', async (text) => {
    const token = parseBootstrapToken(text);
    if (!token) return undefined;
    const name = { namespace: 'kube-system', name: bootstrapTokenPrefix + token.id };
    const object = await client().get('secrets', name).catch(ignoreNotFound);
    const found = object && readBootstrapTokenSecret(object);
    if (!found?.isForAuthentication || hasExpired(found, clock.now()) || !isSame(found.secret, token.secret))
      return undefined;
    const groups = [...new Set(['system:bootstrappers', ...found.groups])].sort();
    return { name: `system:bootstrap:${token.id}`, groups: [...groups, 'system:authenticated'] };
  });
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
