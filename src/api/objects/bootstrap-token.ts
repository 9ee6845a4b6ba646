// Tokens by which machines join a cluster: Secrets of type bootstrap.kubernetes.io/token in kube-system.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import type { Secret } from '../generated/types.ts';

export const bootstrapTokenType = 'bootstrap.kubernetes.io/token';
export const bootstrapTokenPrefix = 'bootstrap-token-';

const idForm = /^[a-z0-9]{6}$/;
const secretForm = /^[a-z0-9]{16}$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
}

/** Id and secret of a text such as abcdef.0123456789abcdef; undefined for other texts. */
export function parseBootstrapToken(text: string): BootstrapToken | undefined {
  const [id = '', secret = '', more] = text.split('.');
  return more === undefined && idForm.test(id) && secretForm.test(secret) ? { id, secret } : undefined;
}

export interface BootstrapTokenSecret extends BootstrapToken {
  /** Milliseconds since the epoch; undefined: it does not expire. A time that cannot be read has passed. */
  readonly expiresMs?: number;
  readonly description: string;
  /** Groups of its user, beside system:bootstrappers. */
  readonly groups: readonly string[];
  readonly isForAuthentication: boolean;
  readonly isForSigning: boolean;
}

/** Undefined when the object is no valid token, or is being deleted. */
export function readBootstrapTokenSecret({ type, metadata, data = {} }: Secret): BootstrapTokenSecret | undefined {
  const field = (name: string) => textOf(data[name]);
  const [id, secret] = [field('token-id'), field('token-secret')];
  if (type !== bootstrapTokenType || metadata.deletionTimestamp) return undefined;
  if (!idForm.test(id) || !secretForm.test(secret) || metadata.name !== bootstrapTokenPrefix + id) return undefined;
  const groups = field('auth-extra-groups').split(',').filter(Boolean);
  if (!groups.every((group) => groupForm.test(group))) return undefined;
  const expiration = field('expiration');
  return {
    id,
    secret,
    ...(expiration && { expiresMs: Date.parse(expiration) || 0 }),
    description: field('description'),
    groups,
    isForAuthentication: field('usage-bootstrap-authentication') === 'true',
    isForSigning: field('usage-bootstrap-signing') === 'true',
  };
}

function textOf(value: unknown): string {
  try {
    return typeof value === 'string' ? atob(value) : '';
  } catch {
    return ''; // no base64
  }
}

export const hasExpired = ({ expiresMs }: BootstrapTokenSecret, nowMs: number): boolean =>
  expiresMs !== undefined && expiresMs <= nowMs;
