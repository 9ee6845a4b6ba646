// Service account tokens: signs and verifies them. They are valid while the account and the bound object exist.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/

import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type ApiObject, ignoreNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../user.ts';
import { type Authenticator, refusedToken, tokenAuthenticator } from './authentication.ts';
import type { TokenClaims, TokenIssuer } from './tokens.ts';

interface ServiceAccountTokens {
  readonly issuer: TokenIssuer;
  readonly authenticator: Authenticator;
}

interface ServiceAccountTokenOptions {
  /** PEM of an RSA or a P-256 key. */
  readonly signingKey: string;
  /** URL that tokens name as their issuer. */
  readonly issuer: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Reads accounts and the objects that tokens are bound to. */
  readonly client: () => Client;
}

/** Signature algorithm of a key: RFC 7518, section 3.1. */
const algorithmOf = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) =>
  asymmetricKeyType === 'ec' ? (curves[asymmetricKeyDetails?.namedCurve ?? ''] ?? 'ES256') : 'RS256';
const curves: Readonly<Record<string, string>> = { secp384r1: 'ES384', secp521r1: 'ES512' };
/** --service-account-extend-token-expiration: old clients never read their token again. */
const extendedSeconds = 365 * 24 * 3_600;
/** Cached verifications: a pod sends the same token with every request. */
const rememberedTokens = 4_096;

interface Payload {
  readonly sub?: string;
  readonly aud?: string | string[];
  readonly exp?: number;
  readonly jti?: string;
  readonly 'kubernetes.io'?: {
    readonly namespace: string;
    readonly serviceaccount: { readonly name: string; readonly uid: string };
    readonly pod?: { readonly name: string; readonly uid: string };
    readonly secret?: { readonly name: string; readonly uid: string };
    readonly node?: { readonly name: string; readonly uid?: string };
  };
}

export function serviceAccountTokens(options: ServiceAccountTokenOptions): ServiceAccountTokens {
  const privateKey = createPrivateKey(options.signingKey);
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  const audiences = [options.issuer];
  const verified = new Map<string, Payload>();

  async function payloadOf(token: string): Promise<Payload> {
    const cached = verified.get(token);
    const payload = cached ?? (await verify(token, publicKey, options));
    if (!cached) {
      if (verified.size >= rememberedTokens) verified.delete(verified.keys().next().value!);
      verified.set(token, payload);
    }
    if ((payload.exp ?? 0) * 1000 <= options.clock.now()) throw refusedToken('token has expired');
    return payload;
  }

  async function authenticateToken(token: string, wanted: readonly string[]): Promise<UserInfo> {
    const payload = await payloadOf(token);
    const given = [payload.aud ?? []].flat();
    const asked = wanted.length > 0 ? wanted : audiences;
    if (!asked.some((audience) => given.includes(audience)))
      throw refusedToken(
        `token audiences ${JSON.stringify(given)} is invalid for the target audiences ${JSON.stringify(asked)}`,
      );
    return userOf(payload, options.client(), options.clock.now());
  }

  return {
    issuer: {
      audiences,
      issue: (claims) => issue(claims, privateKey, keyId, options),
      openidConfiguration: () => ({
        issuer: options.issuer,
        jwks_uri: `${options.issuer}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [algorithmOf(publicKey)],
      }),
      jwks: () => ({
        keys: [{ use: 'sig', ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: algorithmOf(publicKey) }],
      }),
    },
    authenticator: tokenAuthenticator('serviceaccount', authenticateToken),
  };
}

async function issue(
  claims: TokenClaims,
  key: KeyObject,
  keyId: string,
  { issuer, clock, random }: ServiceAccountTokenOptions,
) {
  const { SignJWT } = await import('jose');
  const now = Math.floor(clock.now() / 1000);
  const expires = now + claims.expirationSeconds;
  const { namespace, serviceAccount, bound, node, extended } = claims;
  const reference = bound && { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } };
  const token = await new SignJWT({
    'kubernetes.io': {
      namespace,
      ...(node && { node }),
      ...reference,
      serviceaccount: serviceAccount,
      ...(extended && { warnafter: expires }),
    },
  })
    .setProtectedHeader({ alg: algorithmOf(key), kid: keyId })
    .setIssuer(issuer)
    .setSubject(`system:serviceaccount:${namespace}:${serviceAccount.name}`)
    .setAudience([...claims.audiences])
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(extended ? now + extendedSeconds : expires)
    .setJti(random.uuid())
    .sign(key);
  return { token, expirationTimestamp: `${new Date(expires * 1000).toISOString().slice(0, 19)}Z` };
}

async function verify(token: string, key: KeyObject, { issuer, clock }: ServiceAccountTokenOptions): Promise<Payload> {
  const { jwtVerify } = await import('jose');
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer,
      algorithms: [algorithmOf(key)],
      currentDate: new Date(clock.now()),
    });
    return payload as Payload;
  } catch (error) {
    throw refusedToken((error as Error).message);
  }
}

/** The account and the object that the token is bound to must still be the same ones. */
async function userOf(payload: Payload, client: Client, nowMs: number): Promise<UserInfo> {
  const own = payload['kubernetes.io'];
  if (!own) throw refusedToken('token is not one of a service account');
  const { namespace, serviceaccount, pod, secret, node } = own;
  const check = (resource: Bound, { name, uid = '' }: { name: string; uid?: string }) =>
    mustBe(client, resource, { ...(resource !== 'nodes' && { namespace }), name }, uid, nowMs);
  await check('serviceaccounts', serviceaccount);
  if (secret) await check('secrets', secret);
  if (pod) await check('pods', pod);
  else if (node) await check('nodes', node); // beside a pod, the node is only information
  const prefix = 'authentication.kubernetes.io/';
  return {
    name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: {
      ...(payload.jti && { [`${prefix}credential-id`]: [`JTI=${payload.jti}`] }),
      ...(node && { [`${prefix}node-name`]: [node.name], ...(node.uid && { [`${prefix}node-uid`]: [node.uid] }) }),
      ...(pod && { [`${prefix}pod-name`]: [pod.name], [`${prefix}pod-uid`]: [pod.uid] }),
    },
  };
}

type Bound = 'serviceaccounts' | 'pods' | 'secrets' | 'nodes';
/** A deleted object's tokens stay valid for this much longer. */
const leewayMs = 60_000;

async function mustBe(
  client: Client,
  resource: Bound,
  name: { namespace?: string; name: string },
  uid: string,
  nowMs: number,
): Promise<void> {
  const found: ApiObject | undefined = await client.get(resource, name).catch(ignoreNotFound);
  const boundObject = `${resource.slice(0, -1)} ${name.namespace ? `${name.namespace}/` : ''}${name.name}`;
  if (found?.metadata.uid !== uid) throw refusedToken(`the ${boundObject} that the token was made for is gone`);
  const { deletionTimestamp } = found.metadata;
  if (deletionTimestamp && Date.parse(deletionTimestamp) < nowMs - leewayMs)
    throw refusedToken(`the ${boundObject} that the token was made for has been deleted`);
}
