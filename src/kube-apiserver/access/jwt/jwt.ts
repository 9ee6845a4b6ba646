// Users by the JSON Web Tokens of other issuers, such as an OpenID Connect provider.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens

import type { JSONWebKeySet, JWTPayload } from 'jose';
import type { Clock } from '../../../machinery/time/clock.ts';
import type { UserInfo } from '../../request/user.ts';
import { type Authenticator, refusedToken, tokenAuthenticator } from '../authentication.ts';
import { ClaimPrograms, textOf, textsOf } from './expressions.ts';
import { IssuerKeys } from './keys.ts';
import type { JwtIssuer } from './types.ts';

/** Signatures that are taken of an issuer: those with a public key. RFC 7518, section 3.1. */
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'];

interface JwtAuthenticator extends Authenticator {
  /** Resolves when the issuer's keys are there. Rejects with the cause. */
  ready(): Promise<void>;
}

export function jwtAuthenticator(entry: JwtIssuer, clock: Clock): JwtAuthenticator {
  const keys = new IssuerKeys(entry.issuer, clock);
  const programs = new ClaimPrograms(entry);
  const authenticator = tokenAuthenticator(`jwt ${entry.issuer.url}`, async (token) => {
    if (untrustedIssuer(token) !== entry.issuer.url) return undefined;
    try {
      return userOf(await verify(token, keys, entry, clock), entry, programs);
    } catch (error) {
      throw refusedToken((error as Error).message);
    }
  });
  return { ...authenticator, ready: async () => void (await keysOf(entry, keys)) };
}

const keysOf = ({ issuer }: JwtIssuer, keys: IssuerKeys): Promise<JSONWebKeySet> =>
  keys.current().catch((error: Error) => {
    throw new Error(`oidc: authenticator for issuer "${issuer.url}" is not initialized: ${error.message}`);
  });

/** The issuer claim of the token, unverified; undefined for an invalid token. */
function untrustedIssuer(token: string): string | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const { iss } = JSON.parse(Buffer.from(parts[1], 'base64url').toString()) as { iss?: unknown };
    // https://openid.net/specs/openid-connect-core-1_0.html#GoogleIss
    return iss === 'accounts.google.com' ? 'https://accounts.google.com' : typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

async function verify(token: string, keys: IssuerKeys, entry: JwtIssuer, clock: Clock): Promise<JWTPayload> {
  const { issuer, signatures } = entry;
  const { createLocalJWKSet, errors, jwtVerify } = await import('jose');
  const check = async (set: JSONWebKeySet) => {
    const options = {
      issuer: [issuer.url, 'accounts.google.com'],
      audience: [...issuer.audiences],
      algorithms: [...(signatures ?? algorithms)],
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
    };
    return (await jwtVerify(token, createLocalJWKSet(set), options)).payload;
  };
  const cached = await keysOf(entry, keys);
  try {
    return await check(cached);
  } catch (error) {
    const mayBeNew =
      error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
    if (!mayBeNew) throw new Error(`oidc: verify token: ${(error as Error).message}`);
  }
  return check(await keys.renewed()).catch((error: Error) => {
    throw new Error(`oidc: verify token: ${error.message}`);
  });
}

function userOf(claims: JWTPayload, entry: JwtIssuer, programs: ClaimPrograms): UserInfo {
  const { groups, uid } = entry.claimMappings;
  const name = usernameOf(claims, entry, programs);
  const ownGroups = programs.groups
    ? textsOf(programs.groups, claims, 'group')
    : groups?.claim && claims[groups.claim] !== undefined
      ? listClaim(claims, groups.claim).map((group) => `${groups.prefix ?? ''}${group}`)
      : [];
  const ownUid = programs.uid
    ? textOf(programs.uid, claims, 'uid')
    : uid?.claim
      ? textClaim(claims, uid.claim, `oidc: parse uid claim "${uid.claim}"`)
      : '';
  const extra: Record<string, string[]> = {};
  if (typeof claims.jti === 'string' && claims.jti)
    extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`];
  for (const { key, program } of programs.extra) {
    const values = textsOf(program, claims, 'extra');
    if (values.length > 0) extra[key] = values;
  }
  checkRequired(claims, entry);
  programs.checkClaims(claims);
  const user: UserInfo = {
    name,
    ...(ownUid && { uid: ownUid }),
    groups: ownGroups,
    ...(Object.keys(extra).length > 0 && { extra }),
  };
  programs.checkUser(user);
  return { ...user, groups: [...new Set([...ownGroups, 'system:authenticated'])] };
}

function usernameOf(claims: JWTPayload, { claimMappings: { username } }: JwtIssuer, programs: ClaimPrograms): string {
  if (programs.username) {
    const name = textOf(programs.username, claims, 'username');
    if (!name) throw new Error('oidc: empty username via CEL expression is not allowed');
    return name;
  }
  const claim = username.claim ?? '';
  const name = textClaim(claims, claim, `oidc: parse username claims "${claim}"`);
  if (claim === 'email' && 'email_verified' in claims) {
    const verified = claims['email_verified'];
    if (typeof verified !== 'boolean') throw new Error("oidc: parse 'email_verified' claim: it is no boolean");
    if (!verified) throw new Error('oidc: email not verified');
  }
  return `${username.prefix ?? ''}${name}`;
}

function checkRequired(claims: JWTPayload, { claimValidationRules = [] }: JwtIssuer): void {
  for (const { claim, requiredValue = '' } of claimValidationRules) {
    if (!claim) continue;
    if (!(claim in claims)) throw new Error(`oidc: required claim ${claim} not present in ID token`);
    const value = textClaim(claims, claim, `oidc: parse claim ${claim}`);
    if (value !== requiredValue)
      throw new Error(`oidc: required claim ${claim} value does not match. Got = ${value}, want = ${requiredValue}`);
  }
}

function textClaim(claims: JWTPayload, claim: string, field: string): string {
  const value = claims[claim];
  if (value === undefined) throw new Error(`${field}: claim not present`);
  if (typeof value !== 'string') throw new Error(`${field}: the claim is no string`);
  return value;
}

/** A text counts as a list of one. */
function listClaim(claims: JWTPayload, claim: string): string[] {
  const value = claims[claim];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string'))
    throw new Error(`oidc: parse groups claim "${claim}": the claim is no string and no list of strings`);
  return list;
}
