// Service account tokens: signs and verifies them. They are valid while the account and the bound object exist.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/

import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type ApiObject, ignoreNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { must } from '../../machinery/must.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../request/user.ts';
import { type Authenticator, refusedToken, type TokenUse, tokenAuthenticator } from './authentication.ts';
import { secretTokenIssuer, secretTokenMetrics, secretTokenPayload, userOfSecret } from './secret-tokens.ts';
import type { SecretTokenClaims, TokenClaims, TokenIssuer } from './tokens.ts';

interface ServiceAccountTokens {
  readonly issuer: TokenIssuer;
  readonly authenticator: Authenticator;
}

export interface TokenSettings {
  /** PEM of an RSA key or of one on an elliptic curve. */
  readonly signingKey: string;
  /** URL that tokens name as their issuer. */
  readonly issuer: string;
  /** Former issuers, whose tokens are still accepted. */
  readonly formerIssuers?: readonly string[];
  /** PEM of the public keys of accepted tokens; default: that of the signing key. */
  readonly verificationKeys?: readonly string[];
  /** A token for none of these is refused. Default: the issuers. */
  readonly audiences?: readonly string[];
  /** Where clients find the public keys; default: below the issuer's URL. */
  readonly jwksUri?: string;
  /** The maximum requested duration of a token in seconds; default: 2^32. */
  readonly longestSeconds?: number;
  /** False: tokens of pods are not extended to a year. Default: true. */
  readonly extendsTokens?: boolean;
}

interface ServiceAccountTokenOptions extends TokenSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** Reads accounts and the objects that tokens are bound to. */
  readonly client: () => Client;
  readonly metrics: Metrics;
}

/** Signature algorithm of a key: RFC 7518, section 3.1. */
const algorithmOf = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) =>
  asymmetricKeyType === 'ec' ? (curves[asymmetricKeyDetails?.namedCurve ?? ''] ?? 'ES256') : 'RS256';
const curves: Readonly<Record<string, string>> = { secp384r1: 'ES384', secp521r1: 'ES512' };
/** --service-account-extend-token-expiration: old clients never read their token again. */
const extendedSeconds = 365 * 24 * 3_600;
/** The longest life of a token when nothing else is configured. */
const mostSeconds = 2 ** 32;
const expired = 'service account token has expired';
/** Cached verifications: a pod sends the same token with every request. */
const rememberedTokens = 4_096;

interface Payload {
  readonly iss?: string;
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
    /** Seconds since the epoch. */
    readonly warnafter?: number;
  };
}

/** Public keys by their ids. */
type PublicKeys = ReadonlyMap<string, KeyObject>;

const keyIdOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');

/** Names and help texts of Kubernetes. */
const tokenMetrics = (metrics: Metrics) => ({
  legacy: metrics.counter('serviceaccount_legacy_tokens_total', 'Cumulative legacy service account tokens used'),
  stale: metrics.counter('serviceaccount_stale_tokens_total', 'Cumulative stale projected service account tokens used'),
  valid: metrics.counter('serviceaccount_valid_tokens_total', 'Cumulative valid projected service account tokens used'),
});

/** The documents with which others verify tokens. */
function publishedKeys(
  { issuer, jwksUri = `${issuer}/openid/v1/jwks` }: ServiceAccountTokenOptions,
  publicKeys: PublicKeys,
): Pick<TokenIssuer, 'openidConfiguration' | 'jwks'> {
  return {
    openidConfiguration: () => ({
      issuer,
      jwks_uri: jwksUri,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set([...publicKeys.values()].map(algorithmOf))],
    }),
    jwks: () => ({
      keys: [...publicKeys].map(([kid, key]) => ({
        use: 'sig',
        ...key.export({ format: 'jwk' }),
        kid,
        alg: algorithmOf(key),
      })),
    }),
  };
}

export function serviceAccountTokens(options: ServiceAccountTokenOptions): ServiceAccountTokens {
  const { issuer, formerIssuers = [] } = options;
  const privateKey = createPrivateKey(options.signingKey);
  const { verificationKeys = [options.signingKey] } = options;
  const publicKeys: PublicKeys = new Map(
    verificationKeys.map((pem) => createPublicKey(pem)).map((key) => [keyIdOf(key), key]),
  );
  const audiences = options.audiences?.length ? options.audiences : [issuer, ...formerIssuers];
  const verified = new Map<string, Payload>();
  const ofSecrets = secretTokenMetrics(options.metrics);
  const counters = tokenMetrics(options.metrics);

  async function payloadOf(token: string): Promise<Payload> {
    const cached = verified.get(token);
    const payload = cached ?? (await verify(token, publicKeys, options));
    if (!cached) {
      if (verified.size >= rememberedTokens) verified.delete(must(verified.keys().next().value, 'token'));
      verified.set(token, payload);
    }
    if (payload.iss === secretTokenIssuer) return payload;
    if ((payload.exp ?? 0) * 1000 <= options.clock.now()) throw refusedToken(expired);
    return payload;
  }

  /** A token of a pod that was extended to a year should have been read again by now. */
  function noteAge({ sub, 'kubernetes.io': own }: Payload, nowMs: number, use: TokenUse | undefined): void {
    if (!own?.warnafter) return;
    const seconds = Math.floor(nowMs / 1_000) - own.warnafter;
    if (nowMs > own.warnafter * 1_000) {
      const text = `subject: ${sub}, seconds after warning threshold: ${seconds}`;
      use?.audit?.annotate('authentication.k8s.io/stale-token', text);
      counters.stale.add();
    } else counters.valid.add();
  }

  async function authenticateToken(token: string, wanted: readonly string[], use?: TokenUse): Promise<UserInfo> {
    const payload = await payloadOf(token);
    const isOfSecret = payload.iss === secretTokenIssuer;
    if (isOfSecret) {
      use?.audit?.annotate('authentication.k8s.io/legacy-token', payload.sub ?? '');
      counters.legacy.add();
    }
    const given = isOfSecret ? audiences : [payload.aud ?? []].flat();
    const asked = wanted.length > 0 ? wanted : audiences;
    if (!asked.some((audience) => given.includes(audience)))
      throw refusedToken(
        `token audiences ${JSON.stringify(given)} is invalid for the target audiences ${JSON.stringify(asked)}`,
      );
    const nowMs = options.clock.now();
    if (isOfSecret)
      return userOfSecret(token, { ...payload }, { client: options.client(), nowMs, metrics: ofSecrets, use });
    const user = await userOf(payload, options.client(), nowMs);
    noteAge(payload, nowMs, use);
    return user;
  }

  return {
    issuer: {
      audiences,
      longestSeconds: options.longestSeconds ?? mostSeconds,
      extendsTokens: options.extendsTokens ?? true,
      issue: (claims) => issue(claims, privateKey, options),
      issueForSecret: (claims) => issueForSecret(claims, privateKey),
      ...publishedKeys(options, publicKeys),
    },
    authenticator: tokenAuthenticator('serviceaccount', authenticateToken),
  };
}

async function issue(claims: TokenClaims, key: KeyObject, { issuer, clock, random }: ServiceAccountTokenOptions) {
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
    .setProtectedHeader({ alg: algorithmOf(key), kid: keyIdOf(createPublicKey(key)) })
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

async function issueForSecret(claims: SecretTokenClaims, key: KeyObject): Promise<string> {
  const { SignJWT } = await import('jose');
  return new SignJWT(secretTokenPayload(claims))
    .setProtectedHeader({ alg: algorithmOf(key), kid: keyIdOf(createPublicKey(key)) })
    .sign(key);
}

/** A token without the id of a known key is checked with all of them. */
async function verify(
  token: string,
  keys: PublicKeys,
  { issuer, formerIssuers = [], clock }: ServiceAccountTokenOptions,
): Promise<Payload> {
  const { decodeProtectedHeader, jwtVerify } = await import('jose');
  let reason: string | undefined;
  try {
    const named = keys.get(decodeProtectedHeader(token).kid ?? '');
    for (const key of named ? [named] : keys.values())
      try {
        const { payload } = await jwtVerify(token, key, {
          issuer: [issuer, ...formerIssuers, secretTokenIssuer],
          algorithms: [algorithmOf(key)],
          currentDate: new Date(clock.now()),
        });
        return payload as Payload;
      } catch (error) {
        const { code, message } = error as Error & { readonly code?: string };
        reason = code === 'ERR_JWT_EXPIRED' ? expired : message;
      }
  } catch (error) {
    reason = (error as Error).message;
  }
  throw refusedToken(reason ?? 'no key is known for it');
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
const titles: Readonly<Record<Bound, string>> = {
  serviceaccounts: 'service account',
  pods: 'pod',
  secrets: 'secret',
  nodes: 'node',
};
const claimOf = (resource: Bound): string =>
  resource === 'serviceaccounts' ? 'claim' : `service account ${titles[resource]} ref claim`;
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
  const isAccount = resource === 'serviceaccounts';
  const invalidated = 'service account token has been invalidated';
  if (!found) throw refusedToken(isAccount ? `serviceaccounts ${JSON.stringify(name.name)} not found` : invalidated);
  if (found.metadata.uid !== uid)
    throw refusedToken(`${titles[resource]} UID (${found.metadata.uid}) does not match ${claimOf(resource)} (${uid})`);
  const { deletionTimestamp } = found.metadata;
  if (deletionTimestamp && Date.parse(deletionTimestamp) < nowMs - leewayMs)
    throw refusedToken(isAccount ? `service account ${name.namespace}/${name.name} has been deleted` : invalidated);
}
