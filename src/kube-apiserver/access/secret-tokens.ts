// Service account tokens that stand in secrets and do not expire.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#manual-secret-management-for-serviceaccounts

import { timingSafeEqual } from 'node:crypto';
import { ignoreNotFound, type Secret } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { UserInfo } from '../user.ts';
import { refusedToken } from './authentication.ts';
import type { SecretTokenClaims } from './tokens.ts';

export const secretTokenIssuer = 'kubernetes/serviceaccount';
const prefix = 'kubernetes.io/serviceaccount';
const invalidLabel = 'kubernetes.io/legacy-token-invalid-since';
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used';
const dayMs = 86_400_000;

export const secretTokenPayload = ({ namespace, secret, serviceAccount }: SecretTokenClaims) => ({
  iss: secretTokenIssuer,
  [`${prefix}/namespace`]: namespace,
  [`${prefix}/secret.name`]: secret,
  [`${prefix}/service-account.name`]: serviceAccount.name,
  [`${prefix}/service-account.uid`]: serviceAccount.uid,
  sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
});

/** The user of a verified token, as long as secret and account are the same. Throws the refusal. */
export async function userOfSecret(
  token: string,
  payload: Readonly<Record<string, unknown>>,
  client: Client,
  nowMs: number,
): Promise<UserInfo> {
  const { namespace, secret: secretName, serviceAccount } = claimsIn(payload);
  const secret = await client.get('secrets', { namespace, name: secretName }).catch(ignoreNotFound);
  if (!secret || secret.metadata.deletionTimestamp) throw refusedToken('Token has been invalidated');
  const kept = Buffer.from(secret.data?.token ?? '', 'base64');
  const given = Buffer.from(token);
  if (kept.length !== given.length || !timingSafeEqual(kept, given))
    throw refusedToken("Token does not match server's copy");
  const account = await client.get('serviceaccounts', { namespace, name: serviceAccount.name }).catch(ignoreNotFound);
  if (!account) throw refusedToken(`serviceaccounts ${JSON.stringify(serviceAccount.name)} not found`);
  if (account.metadata.deletionTimestamp)
    throw refusedToken(`ServiceAccount ${namespace}/${serviceAccount.name} has been deleted`);
  if (account.metadata.uid !== serviceAccount.uid)
    throw refusedToken(`ServiceAccount UID (${account.metadata.uid}) does not match claim (${serviceAccount.uid})`);
  await noteUse(client, secret, nowMs);
  if (secret.metadata.labels?.[invalidLabel])
    throw refusedToken(
      `the token in secret ${namespace}/${secretName} for service account ${namespace}/${serviceAccount.name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalidLabel}' label from the secret to temporarily allow use of this token`,
    );
  return {
    name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    uid: serviceAccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

function claimsIn(payload: Readonly<Record<string, unknown>>): SecretTokenClaims {
  const claim = (name: string, shown: string): string => {
    const value = payload[`${prefix}/${name}`];
    if (typeof value !== 'string' || !value) throw refusedToken(`${shown} claim is missing`);
    return value;
  };
  if (!payload.sub) throw refusedToken('sub claim is missing');
  const namespace = claim('namespace', 'namespace');
  const secret = claim('secret.name', 'secretName');
  const name = claim('service-account.name', 'serviceAccountName');
  const uid = claim('service-account.uid', 'serviceAccountUID');
  if (payload.sub !== `system:serviceaccount:${namespace}:${name}`) throw refusedToken('sub claim is invalid');
  return { namespace, secret, serviceAccount: { name, uid } };
}

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Once a day; a clock that is ahead elsewhere is no reason to write. A failed note does not stop the request. */
async function noteUse(client: Client, { metadata }: Secret, nowMs: number): Promise<void> {
  const today = dateOf(nowMs);
  const noted = metadata.labels?.[lastUsedLabel];
  if (noted === today || noted === dateOf(nowMs + dayMs)) return;
  const { namespace, name = '', uid } = metadata;
  const body = { metadata: { uid, labels: { [lastUsedLabel]: today } } };
  await client.patch('secrets', { namespace, name }, { type: 'merge', body }).catch(() => {});
}
