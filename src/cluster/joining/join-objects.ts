// The objects by which machines join: the public cluster-info, the cluster's settings, and the rights of tokens and
// nodes. Names and rights are kubeadm's. https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/

import { ignoreNotFound, isAlreadyExists, isConflict } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { nodeRequestRights } from '../../kube-controller-manager/kube-controller-manager.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { parseCidrs } from '../../machinery/ip.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { SystemObject } from '../objects/extra-objects.ts';
import { version } from '../version.ts';
import { keysName } from './control-plane-keys.ts';
import { serverGroup, workerGroup } from './tokens.ts';
import type { SharedSettings } from './types.ts';

export const settingsName = { namespace: 'kube-system', name: 'coracle-config' } as const;
export const clusterInfoName = { namespace: 'kube-public', name: 'cluster-info' } as const;

/** Of the nodes of servers. */
export const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';

const api = '/apis/rbac.authorization.k8s.io/v1';
const apiGroup = 'rbac.authorization.k8s.io';
const group = (name: string) => ({ apiGroup, kind: 'Group', name });
const joining = [group(workerGroup), group(serverGroup)];
const nodes = [group('system:nodes')];

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const role = (name: string, rules: readonly Rule[], namespace?: string): [string, SystemObject] => [
  namespace ? `${api}/namespaces/${namespace}/roles` : `${api}/clusterroles`,
  {
    apiVersion: `${apiGroup}/v1`,
    kind: namespace ? 'Role' : 'ClusterRole',
    metadata: { name, ...(namespace && { namespace }) },
    rules,
  },
];

const binding = (name: string, to: string, subjects: readonly object[], namespace?: string): [string, SystemObject] => [
  namespace ? `${api}/namespaces/${namespace}/rolebindings` : `${api}/clusterrolebindings`,
  {
    apiVersion: `${apiGroup}/v1`,
    kind: namespace ? 'RoleBinding' : 'ClusterRoleBinding',
    metadata: { name, ...(namespace && { namespace }) },
    roleRef: { apiGroup, kind: namespace ? 'Role' : 'ClusterRole', name: to },
    subjects,
  },
];

const requests = 'system:certificates.k8s.io:certificatesigningrequests';
const nodeCertificates = 'coracle:node-certificates';
const readSettings = 'coracle:nodes-coracle-config';
const readKeys = 'coracle:control-plane-keys';
const publicInfo = 'kubeadm:bootstrap-signer-clusterinfo';
const getNodes = 'kubeadm:get-nodes';
const reads = (resource: string, name: string): Rule => ({
  apiGroups: [''],
  resources: [resource],
  resourceNames: [name],
  verbs: ['get'],
});

const access: readonly (readonly [string, SystemObject])[] = [
  role(publicInfo, [reads('configmaps', clusterInfoName.name)], 'kube-public'),
  binding(publicInfo, publicInfo, [{ apiGroup, kind: 'User', name: 'system:anonymous' }], 'kube-public'),
  binding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', joining),
  binding('kubeadm:node-autoapprove-bootstrap', `${requests}:nodeclient`, joining),
  binding('kubeadm:node-autoapprove-certificate-rotation', `${requests}:selfnodeclient`, nodes),
  role(nodeCertificates, [
    {
      apiGroups: ['certificates.k8s.io'],
      resources: nodeRequestRights.map((right) => `certificatesigningrequests/${right}`),
      verbs: ['create'],
    },
  ]),
  binding(nodeCertificates, nodeCertificates, nodes),
  role(getNodes, [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }]),
  binding(getNodes, getNodes, joining),
  role(readSettings, [reads('configmaps', settingsName.name)], 'kube-system'),
  binding(readSettings, readSettings, [...joining, ...nodes], 'kube-system'),
  role(readKeys, [reads('secrets', keysName.name)], 'kube-system'),
  binding(readKeys, readKeys, [group(serverGroup)], 'kube-system'),
];

/** The kubeconfig in cluster-info: server and CA, without a user. */
const publicKubeconfig = (server: string, ca: string): string =>
  `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: '', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
      contexts: null,
      'current-context': '',
      users: null,
    },
    null,
    2,
  )}\n`;

/** Machines can join from now on. `server` is a URL that they reach. Objects that exist stay, up to their data. */
export async function ensureJoinObjects(
  client: Client,
  inputs: { readonly server: string; readonly ca: string; readonly config: Omit<SharedSettings, 'version'> },
): Promise<void> {
  const { serviceCidr, clusterCidr, clusterDomain, cloudProvider } = inputs.config;
  const settings: SharedSettings = {
    ...{ serviceCidr, clusterCidr, clusterDomain, version },
    ...(cloudProvider && { cloudProvider }),
  };
  await Promise.all([
    ...access.map(([collection, object]) =>
      client.raw('POST', collection, object).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
      }),
    ),
    ensureMap(client, settingsName, { cluster: JSON.stringify(settings) }),
    ensureMap(client, clusterInfoName, { kubeconfig: publicKubeconfig(inputs.server, inputs.ca) }),
  ]);
}

async function ensureMap(
  client: Client,
  metadata: { readonly namespace: string; readonly name: string },
  data: Readonly<Record<string, string>>,
): Promise<void> {
  for (;;) {
    const current = await client.get('configmaps', metadata).catch(ignoreNotFound);
    const next = { ...current?.data, ...data };
    if (current && deepEqual(current.data, next)) return;
    try {
      if (current) await client.update('configmaps', { ...current, data: next });
      else await client.create('configmaps', { metadata, data });
      return;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error)) throw error; // the signer was faster: again
    }
  }
}

/** Undefined for a text that is no such settings. */
export function parseSettings(text: string | undefined): SharedSettings | undefined {
  try {
    const { serviceCidr, clusterCidr, clusterDomain, version, cloudProvider } = fieldsIn(JSON.parse(text ?? ''));
    const all = { serviceCidr, clusterCidr, clusterDomain, version };
    const areTexts = [...Object.values(all), cloudProvider ?? ''].every((value) => typeof value === 'string');
    const areRanges = [serviceCidr, clusterCidr].every((range) => parseCidrs(textIn(range) ?? ''));
    return areTexts && areRanges
      ? ({ ...all, ...(cloudProvider !== undefined && { cloudProvider }) } as SharedSettings)
      : undefined;
  } catch {
    return undefined;
  }
}
