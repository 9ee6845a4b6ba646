// Requests of nodes for the tests beside this file, and the cluster in which they are made.

import { expect } from 'vitest';
import { type ApiObject, notFound } from '../../../api/api.ts';
import type { Attributes } from '../../access/authorization.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import type { UserInfo } from '../../request/user.ts';
import { nodeRestriction } from './node-restriction.ts';

const mynode: UserInfo = { name: 'system:node:mynode', groups: ['system:nodes'] };
const mirror = { 'kubernetes.io/config.mirror': 'x' };
export const owner = { apiVersion: 'v1', kind: 'Node', name: 'mynode', uid: 'node-uid', controller: true };

type Spec = Record<string, unknown>;
export const podOf = (name: string, nodeName: string, metadata: object = {}, spec: Spec = {}): ApiObject => ({
  metadata: { name, namespace: 'ns', uid: `${name}-uid`, ...metadata } as ApiObject['metadata'],
  spec: { nodeName, containers: [{ name: 'c', image: 'i' }], ...spec },
});
export const mirrorPod = (spec: Spec = {}, metadata: object = {}) =>
  podOf('mirror', 'mynode', { annotations: mirror, ownerReferences: [owner], ...metadata }, spec);
export const volumes = (...sources: object[]) => ({
  volumes: sources.map((source, i) => ({ name: `v${i}`, ...source })),
});
export const projected = (source: object) => volumes({ projected: { sources: [source] } });
export const claimVolume = (claimName: string) => ({ persistentVolumeClaim: { claimName } });

const existing: Record<string, ApiObject[]> = {
  pods: [
    podOf('mypod', 'mynode'),
    podOf('otherpod', 'othernode'),
    podOf('unbound', ''),
    podOf('tokens', 'mynode', {}, projected({ serviceAccountToken: { audience: 'foo', path: 't' } })),
    podOf('default', 'mynode', {}, projected({ serviceAccountToken: { path: 't' } })),
    podOf('csi', 'mynode', {}, volumes({ csi: { driver: 'with-audience' } })),
    podOf('nodriver', 'mynode', {}, volumes({ csi: { driver: 'nowhere' } })),
    podOf('claimed', 'mynode', {}, volumes(claimVolume('claim'))),
    podOf('lost', 'mynode', {}, volumes(claimVolume('nowhere'))),
    podOf('volumeless', 'mynode', {}, volumes(claimVolume('unbound'))),
    podOf('both', 'mynode', {}, volumes(claimVolume('nowhere'), { csi: { driver: 'with-audience' } })),
    podOf('ephemeral', 'mynode', {}, volumes({ ephemeral: {} })),
    podOf('intree', 'mynode', {}, volumes({ azureFile: { shareName: 's' } })),
    podOf('intreeclaim', 'mynode', {}, volumes(claimVolume('azure'))),
  ],
  nodes: [{ metadata: { name: 'mynode', uid: 'node-uid' } as ApiObject['metadata'] }],
  csidrivers: [
    { metadata: { name: 'with-audience' } as ApiObject['metadata'], spec: { tokenRequests: [{ audience: 'foo' }] } },
    {
      metadata: { name: 'file.csi.azure.com' } as ApiObject['metadata'],
      spec: { tokenRequests: [{ audience: 'foo' }] },
    },
  ],
  persistentvolumeclaims: [
    { metadata: { name: 'claim' } as ApiObject['metadata'], spec: { volumeName: 'volume' } },
    { metadata: { name: 'ephemeral-v0' } as ApiObject['metadata'], spec: { volumeName: 'volume' } },
    { metadata: { name: 'unbound' } as ApiObject['metadata'], spec: { volumeName: 'gone' } },
    { metadata: { name: 'azure' } as ApiObject['metadata'], spec: { volumeName: 'azure' } },
  ],
  persistentvolumes: [
    { metadata: { name: 'volume' } as ApiObject['metadata'], spec: { csi: { driver: 'with-audience' } } },
    { metadata: { name: 'azure' } as ApiObject['metadata'], spec: { azureFile: { shareName: 's' } } },
  ],
};

const client = {
  async get(resource: string, { name }: { name: string }) {
    const found = existing[resource].find(({ metadata }) => metadata.name === name);
    if (!found) throw notFound({ group: '', resource }, name);
    return found;
  },
};
const plugin = nodeRestriction(() => client as never);

export interface Case {
  readonly object?: ApiObject;
  readonly old?: ApiObject;
  readonly name?: string;
  readonly namespace?: string;
  readonly user?: UserInfo;
  /** Audiences that RBAC gives to nodes. */
  readonly granted?: readonly string[];
}

/** "OPERATION resource[.group][/subresource]". The refusal, or undefined. */
async function ask(text: string, { object, old, granted = [], user = mynode, namespace = 'ns', ...given }: Case) {
  const [operation, target] = text.split(' ');
  const [full, subresource = ''] = target.split('/');
  const [resource, ...group] = full.split('.');
  const authorize = ({ verb, resource: audience }: Attributes) => ({
    decision: verb === 'request-serviceaccounts-token-audience' && granted.includes(audience) ? 'allow' : 'no-opinion',
  });
  const attributes = {
    server: { authorizers: [{ name: 'test', authorize }] },
    operation,
    kind: { group: group.join('.'), resource, kind: '' },
    resource,
    subresource,
    namespace,
    name: given.name ?? object?.metadata.name ?? old?.metadata.name ?? '',
    object,
    oldObject: old,
    user,
  };
  try {
    await plugin.admit?.(attributes as unknown as AdmissionAttributes);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export const check = async (text: string, given: Case, refusal: string | undefined) => {
  const answer = await ask(text, given);
  if (refusal === undefined) expect(answer).toBeUndefined();
  else expect(answer).toContain(refusal);
};
