// Bootstrap tokens: made, listed and deleted by an administrator.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import { randomInt } from 'node:crypto';
import {
  type BootstrapToken,
  type BootstrapTokenSecret,
  bootstrapTokenPrefix,
  bootstrapTokenType,
  type Draft,
  formatTime,
  readBootstrapTokenSecret,
  type Secret,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';

const namespace = 'kube-system';
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const word = (length: number) => Array.from({ length }, () => letters[randomInt(letters.length)]).join('');

/** Groups of the tokens of workers, as kubeadm names them. */
export const workerGroup = 'system:bootstrappers:kubeadm:default-node-token';
/** Tokens of this group may read the keys of the control plane, which are encrypted. */
export const serverGroup = 'system:bootstrappers:coracle:control-plane';

export const newToken = (): BootstrapToken => ({ id: word(6), secret: word(16) });

export const tokenText = ({ id, secret }: BootstrapToken): string => `${id}.${secret}`;

export interface TokenOptions {
  readonly token?: BootstrapToken;
  /** Milliseconds since the epoch; undefined: it does not expire. */
  readonly expiresMs?: number;
  readonly description?: string;
  readonly groups: readonly string[];
}

/** Rejects with the API's error if a token of this id exists. */
export async function createToken(client: Client, options: TokenOptions): Promise<BootstrapToken> {
  const token = options.token ?? newToken();
  const stringData: Record<string, string> = {
    'token-id': token.id,
    'token-secret': token.secret,
    'usage-bootstrap-authentication': 'true',
    'usage-bootstrap-signing': 'true',
    'auth-extra-groups': options.groups.join(','),
    ...(options.description && { description: options.description }),
    ...(options.expiresMs !== undefined && { expiration: formatTime(options.expiresMs) }),
  };
  const secret: Draft<Secret> = {
    metadata: { name: bootstrapTokenPrefix + token.id, namespace },
    type: bootstrapTokenType,
    stringData,
  };
  await client.create('secrets', secret);
  return token;
}

export async function listTokens(client: Client): Promise<BootstrapTokenSecret[]> {
  const { items } = await client.list('secrets', { namespace, fieldSelector: `type=${bootstrapTokenType}` });
  return items.flatMap((secret) => readBootstrapTokenSecret(secret) ?? []);
}

/** Rejects with the API's NotFound if there is none. */
export async function deleteToken(client: Client, id: string): Promise<void> {
  await client.delete('secrets', { namespace, name: bootstrapTokenPrefix + id });
}
