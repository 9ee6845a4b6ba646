// Tokens by which machines join a cluster: Secrets of type bootstrap.kubernetes.io/token in kube-system.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import { timingSafeEqual } from 'node:crypto';
import { ignoreNotFound, type Secret } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type Authenticator, tokenAuthenticator } from './authentication.ts';

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export function bootstrapTokens(client: () => Client, clock: Clock): Authenticator {
  return tokenAuthenticator('bootstrap-token', async (token) => {
    const [, id, secret] = form.exec(token) ?? [];
    if (!id) return undefined;
    const name = { namespace: 'kube-system', name: `bootstrap-token-${id}` };
    const found: Secret | undefined = await client().get('secrets', name).catch(ignoreNotFound);
    const groups = found && groupsOf(found, id, secret, clock.now());
    return groups && { name: `system:bootstrap:${id}`, groups: [...groups, 'system:authenticated'] };
  });
}

/** Undefined when the secret is not for this token, or not any more. */
function groupsOf(
  { type, metadata, data = {} }: Secret,
  id: string,
  secret: string,
  nowMs: number,
): string[] | undefined {
  const field = (name: string) => Buffer.from((data[name] as string | undefined) ?? '', 'base64').toString();
  if (type !== 'bootstrap.kubernetes.io/token' || metadata.deletionTimestamp) return undefined;
  if (field('token-id') !== id || !isSame(field('token-secret'), secret)) return undefined;
  if (field('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiration = field('expiration');
  // A time that cannot be read has passed.
  if (expiration && !(Date.parse(expiration) > nowMs)) return undefined;
  const extra = field('auth-extra-groups').split(',').filter(Boolean);
  if (!extra.every((group) => groupForm.test(group))) return undefined;
  return [...new Set(['system:bootstrappers', ...extra])].sort();
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
