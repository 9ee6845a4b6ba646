// Signs the ConfigMap cluster-info with every bootstrap token: a machine that knows a token can trust the cluster's CA
// in it before it trusts the server. https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/

import { createHmac } from 'node:crypto';
import {
  type BootstrapToken,
  bootstrapTokenType,
  hasExpired,
  isConflict,
  isNotFound,
  type KubeObject,
  readBootstrapTokenSecret,
  type Secret,
} from '../../api/api.ts';
import type { Controller, Tools } from '../../client/client.ts';

const clusterInfo = 'kube-public/cluster-info';
const signaturePrefix = 'jws-kubeconfig-';

export const isTokenSecret = (object: KubeObject): boolean =>
  (object as Secret).type === bootstrapTokenType && object.metadata.namespace === 'kube-system';

/** A detached JSON Web Signature (RFC 7515, appendix F) with HMAC-SHA256. */
export function detachedSignature(content: string, { id, secret }: BootstrapToken): string {
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: id })).toString('base64url');
  const signed = `${header}.${Buffer.from(content).toString('base64url')}`;
  return `${header}..${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Key of a token's signature in the ConfigMap. */
export const signatureKey = ({ id }: Pick<BootstrapToken, 'id'>): string => signaturePrefix + id;

export const bootstrapSigner: Controller = {
  name: 'bootstrapsigner',
  watches: [
    {
      resource: 'configmaps',
      keys: ({ metadata }) => (`${metadata.namespace}/${metadata.name}` === clusterInfo ? [clusterInfo] : []),
    },
    { resource: 'secrets', keys: (secret) => (isTokenSecret(secret) ? [clusterInfo] : []) },
  ],
  async reconcile(key, tools) {
    const map = tools.lister('configmaps').get(key);
    const content = map?.data?.['kubeconfig'];
    if (!map || content === undefined) return;
    const signatures = Object.fromEntries(
      tokensForSigning(tools).map((token) => [signatureKey(token), detachedSignature(content, token)]),
    );
    const others = Object.entries(map.data ?? {}).filter(([name]) => !name.startsWith(signaturePrefix));
    const old = Object.entries(map.data ?? {}).filter(([name]) => name.startsWith(signaturePrefix));
    const isSame =
      old.length === Object.keys(signatures).length && old.every(([name, text]) => signatures[name] === text);
    if (isSame) return;
    const data = { ...Object.fromEntries(others), ...signatures };
    await tools.client.update('configmaps', { ...map, data }).catch((error) => {
      if (!isConflict(error) && !isNotFound(error)) throw error; // its change brings the key again
    });
  },
};

const tokensForSigning = ({ lister, clock }: Tools): BootstrapToken[] =>
  [...lister('secrets').list()].filter(isTokenSecret).flatMap((secret) => {
    const token = readBootstrapTokenSecret(secret);
    return token?.isForSigning && !hasExpired(token, clock.now()) ? [token] : [];
  });
