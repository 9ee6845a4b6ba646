// The test cases of Kubernetes for the node authorizer, and other attempts of a node.

import { describe, expect, test } from 'vitest';
import { notFound } from '../../api/api.ts';
import { parseFieldSelector } from '../../machinery/selectors/field-selector.ts';
import type { UserInfo } from '../request/user.ts';
import { pod } from '../testing/test-server.ts';
import type { Attributes } from './authorization.ts';
import { nodeAuthorizer } from './node.ts';

const node0: UserInfo = { name: 'system:node:node0', groups: ['system:nodes', 'system:authenticated'] };

/** A pod with one reference of each sort, each named after the pod. */
const podOn = (node: string, name: string, metadata: object = {}) => ({
  ...pod(name, {
    nodeName: node,
    serviceAccountName: `account-${name}`,
    imagePullSecrets: [{ name: `pull-${name}` }],
    resourceClaims: [
      { name: 'direct', resourceClaimName: `direct-${name}` },
      { name: 'made', resourceClaimTemplateName: `template-${name}` },
    ],
    containers: [
      {
        name: 'c',
        image: 'i',
        env: [
          { name: 'A', valueFrom: { secretKeyRef: { name: `env-${name}`, key: 'k' } } },
          { name: 'B', valueFrom: { configMapKeyRef: { name: `env-${name}`, key: 'k' } } },
        ],
        envFrom: [{ secretRef: { name: `from-${name}` } }, { configMapRef: { name: `from-${name}` } }],
      },
    ],
    initContainers: [
      { name: 'i', image: 'i', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: `init-${name}`, key: 'k' } } }] },
    ],
    volumes: [
      { name: 'secret', secret: { secretName: `volume-${name}` } },
      { name: 'map', configMap: { name: `volume-${name}` } },
      {
        name: 'both',
        projected: {
          sources: [{ secret: { name: `projected-${name}` } }, { configMap: { name: `projected-${name}` } }],
        },
      },
      { name: 'claim', persistentVolumeClaim: { claimName: `claim-${name}` } },
      { name: 'own', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      { name: 'csi', csi: { driver: 'd', nodePublishSecretRef: { name: `csi-${name}` } } },
      { name: 'iscsi', iscsi: { targetPortal: 'p', iqn: 'iqn.a', lun: 0, secretRef: { name: `iscsi-${name}` } } },
      { name: 'azure', azureFile: { shareName: 's', secretName: `azure-${name}` } },
    ],
  }),
  metadata: { name, namespace: 'ns0', ...metadata },
  status: {
    resourceClaimStatuses: [{ name: 'made', resourceClaimName: `made-${name}` }],
    extendedResourceClaimStatus: { resourceClaimName: `extended-${name}`, requestMappings: [] },
  },
});

const volume = (name: string, claim: string, csi: object) => ({
  metadata: { name },
  spec: { claimRef: { namespace: 'ns0', name: claim }, csi: { driver: 'd', volumeHandle: 'h', ...csi } },
});

/** Unvalidated objects: only the authorizer's view matters. */
const objects = {
  pods: [
    podOn('node0', 'pod0'),
    podOn('node1', 'pod1'),
    podOn('node0', 'mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
  ],
  persistentvolumes: [
    volume('pv0', 'claim-pod0', {
      nodePublishSecretRef: { namespace: 'far', name: 'publish' },
      nodeStageSecretRef: { namespace: 'ns0', name: 'stage' },
      controllerPublishSecretRef: { namespace: 'ns0', name: 'controller' },
    }),
    volume('pv1', 'claim-pod1', { nodePublishSecretRef: { namespace: 'far', name: 'foreign' } }),
    { metadata: { name: 'unbound' }, spec: {} },
  ],
  volumeattachments: [
    { metadata: { name: 'attachment0' }, spec: { nodeName: 'node0' } },
    { metadata: { name: 'attachment1' }, spec: { nodeName: 'node1' } },
  ],
  resourceslices: [
    { metadata: { name: 'slice0' }, spec: { nodeName: 'node0' } },
    { metadata: { name: 'slice1' }, spec: { nodeName: 'node1' } },
    { metadata: { name: 'anywhere' }, spec: { allNodes: true } },
  ],
};

const pods = {
  addIndex: () => {},
  by: (_: string, node: string) => objects.pods.filter(({ spec }) => (spec as { nodeName?: string }).nodeName === node),
};
const client = {
  list: async (resource: keyof typeof objects) => ({ items: objects[resource] }),
  async get(resource: keyof typeof objects, { name }: { name: string }) {
    const found = (objects[resource] as { metadata: { name: string } }[]).find((o) => o.metadata.name === name);
    if (!found) throw notFound({ group: '', resource }, name);
    return found;
  },
};
const authorizer = nodeAuthorizer(pods as never, () => client as never);

async function ask(user: UserInfo, text: string, over: Partial<Attributes> = {}) {
  // "verb resource[.group][/subresource] [namespace/]name"
  const [verb, target, object = ''] = text.split(' ');
  const [full, subresource = ''] = target.split('/');
  const dot = full.indexOf('.');
  const [resource, group] = dot < 0 ? [full, ''] : [full.slice(0, dot), full.slice(dot + 1)];
  const [namespace, name] = object.includes('/') ? object.split('/') : ['', object];
  return authorizer.authorize({
    user,
    verb,
    resource,
    group,
    subresource,
    namespace,
    name,
    version: 'v1',
    isResource: true,
    path: '',
    rest: '',
    ...over,
  });
}

const select = (text: string) => ({ fieldSelector: parseFieldSelector(text).requirements });

test.each<string>([
  ...['env', 'from', 'init', 'volume', 'projected', 'pull', 'csi', 'iscsi', 'azure'].map(
    (n) => `get secrets ns0/${n}-pod0`,
  ),
  ...['env', 'from', 'volume', 'projected'].map((n) => `get configmaps ns0/${n}-pod0`),
  'list secrets ns0/env-pod0',
  'watch secrets ns0/env-pod0',
  'get secrets far/publish',
  'get secrets ns0/stage',
  'get persistentvolumeclaims ns0/claim-pod0',
  'get persistentvolumeclaims ns0/pod0-own',
  'update persistentvolumeclaims/status ns0/claim-pod0',
  'patch persistentvolumeclaims/status ns0/claim-pod0',
  'get persistentvolumes pv0',
  'get volumeattachments.storage.k8s.io attachment0',
  'get resourceclaims.resource.k8s.io ns0/direct-pod0',
  'get resourceclaims.resource.k8s.io ns0/made-pod0',
  'get resourceclaims.resource.k8s.io ns0/extended-pod0',
  'get serviceaccounts ns0/account-pod0',
  'create serviceaccounts/token ns0/account-pod0',
  ...['get', 'create', 'update', 'patch', 'delete'].map((v) => `${v} leases.coordination.k8s.io kube-node-lease/node0`),
  ...['get', 'create', 'update', 'patch', 'delete'].map((v) => `${v} csinodes.storage.k8s.io node0`),
  ...['get', 'create', 'update', 'patch', 'delete'].map((v) => `${v} resourceslices.resource.k8s.io slice0`),
  'get pods ns0/pod0',
  'get pods ns0/mirror',
  'list pods ns0/pod0',
  'watch pods ns0/pod0',
  'create pods ns0/',
  'delete pods ns0/pod1',
  'update pods/status ns0/pod1',
  'patch pods/status ns0/pod0',
  'create pods/eviction ns0/pod0',
  'get nodes node0',
  'list nodes node0',
  'watch nodes node0',
  'create nodes',
  'update nodes node1',
  'patch nodes/status node0',
  'create tokenreviews.authentication.k8s.io',
  'create subjectaccessreviews.authorization.k8s.io',
  'list services',
  'get endpoints ns0/x',
  'create events ns0/',
  'create events.events.k8s.io ns0/',
  'watch certificatesigningrequests.certificates.k8s.io',
  'list runtimeclasses.node.k8s.io',
  'list csidrivers.storage.k8s.io',
])('a node may %s', async (text) => expect(await ask(node0, text)).toEqual({ decision: 'allow' }));

const unrelated = "no relationship found between node 'node0' and this object";

test.each<[string, string]>([
  ['get secrets ns0/env-pod1', unrelated],
  ['get secrets ns0/env-mirror', unrelated],
  ['get secrets ns0/nothing', unrelated],
  ['get secrets far/env-pod0', unrelated],
  ['get secrets far/foreign', unrelated],
  ['get secrets ns0/controller', unrelated],
  ['list secrets ns0/', 'No Object name found'],
  ['watch secrets ns0/', 'No Object name found'],
  ['list secrets', 'can only read namespaced object of this type'],
  ['list secrets env-pod0', 'can only read namespaced object of this type'],
  ['update secrets ns0/env-pod0', 'can only read resources of this type'],
  ['create secrets ns0/', 'can only read resources of this type'],
  ['get secrets/status ns0/env-pod0', 'cannot read subresource'],
  ['get configmaps ns0/env-pod1', unrelated],
  ['get configmaps ns0/env-mirror', unrelated],
  ['get persistentvolumeclaims ns0/claim-pod1', unrelated],
  ['get persistentvolumeclaims ns0/claim-mirror', unrelated],
  ['list persistentvolumeclaims ns0/claim-pod0', 'can only get individual resources of this type'],
  ['update persistentvolumeclaims ns0/claim-pod0', 'can only get individual resources of this type'],
  ['get persistentvolumeclaims/status ns0/claim-pod0', 'can only get/update/patch this type'],
  ['update persistentvolumeclaims/status ns0/claim-pod1', unrelated],
  ['get persistentvolumes pv1', unrelated],
  ['get persistentvolumes unbound', unrelated],
  ['get persistentvolumes nothing', unrelated],
  ['list persistentvolumes', 'can only get individual resources of this type'],
  ['get volumeattachments.storage.k8s.io attachment1', unrelated],
  ['list volumeattachments.storage.k8s.io', 'can only get individual resources of this type'],
  ['get resourceclaims.resource.k8s.io ns0/direct-pod1', unrelated],
  ['get resourceclaims.resource.k8s.io ns0/template-pod0', unrelated],
  ['get resourceclaims.resource.k8s.io ns0/direct-mirror', unrelated],
  ['update resourceclaims.resource.k8s.io/status ns0/direct-pod0', 'can only get individual resources of this type'],
  ['get serviceaccounts ns0/account-pod1', unrelated],
  ['get serviceaccounts ns0/account-mirror', unrelated],
  ['list serviceaccounts ns0/account-pod0', 'can only create tokens for individual service accounts'],
  ['create serviceaccounts/token ns0/account-pod1', unrelated],
  ['create serviceaccounts/token ns0/account-mirror', unrelated],
  ['create serviceaccounts ns0/account-pod0', 'can only create token subresource of serviceaccount'],
  ['update serviceaccounts/token ns0/account-pod0', 'can only create tokens for individual service accounts'],
  ['get leases.coordination.k8s.io foo/node0', 'can only access leases in the "kube-node-lease" system namespace'],
  ['create leases.coordination.k8s.io foo/node0', 'can only access leases in the "kube-node-lease" system namespace'],
  [
    'update leases.coordination.k8s.io kube-node-lease/node1',
    'can only access node lease with the same name as the requesting node',
  ],
  ['list leases.coordination.k8s.io kube-node-lease/', 'can only get, create, update, patch, or delete a node lease'],
  ['get csinodes.storage.k8s.io node1', 'can only access CSINode with the same name as the requesting node'],
  ['get csinodes.storage.k8s.io/drivers node0', 'cannot authorize CSINode subresources'],
  ['list csinodes.storage.k8s.io', 'can only get, create, update, patch, or delete a CSINode'],
  ['get resourceslices.resource.k8s.io slice1', unrelated],
  ['delete resourceslices.resource.k8s.io anywhere', unrelated],
  ['get resourceslices.resource.k8s.io/status slice0', 'cannot authorize ResourceSlice subresources'],
  [
    'list resourceslices.resource.k8s.io',
    'can only list/watch/deletecollection resourceslices with nodeName field selector',
  ],
  [
    'deletecollection resourceslices.resource.k8s.io',
    'can only list/watch/deletecollection resourceslices with nodeName field selector',
  ],
  ['get pods ns0/pod1', unrelated],
  ['list pods ns0/pod1', unrelated],
  ['list pods', 'can only list/watch pods with spec.nodeName field selector'],
  ['watch pods ns0/', 'can only list/watch pods with spec.nodeName field selector'],
  ['get pods/status ns0/pod0', ''],
  ['update pods ns0/pod0', ''],
  ['create pods/proxy ns0/', ''],
  ['delete pods/proxy ns0/pod0', ''],
  ['create pods/exec ns0/pod0', ''],
  ['create pods/binding ns0/pod0', ''],
  ['deletecollection pods ns0/', ''],
  ['get nodes node1', "node 'node0' cannot read 'node1', only its own Node object"],
  ['list nodes', "node 'node0' cannot read all nodes, only its own Node object"],
  ['delete nodes node0', ''],
  ['get nodes/proxy node0', ''],
  ['get podcertificaterequests.certificates.k8s.io ns0/x', ''],
  ['update certificatesigningrequests.certificates.k8s.io/approval x', ''],
  ['create deployments.apps ns0/', ''],
])('a node may not %s', async (text, reason) =>
  expect(await ask(node0, text)).toEqual({ decision: 'no-opinion', ...(reason && { reason }) }),
);

describe('selectors', () => {
  test.each<[string, string, boolean]>([
    ['list pods', 'spec.nodeName=node0', true],
    ['watch pods', 'spec.nodeName==node0', true],
    ['list pods', 'status.phase=Running,spec.nodeName=node0', true],
    ['list pods', 'spec.nodeName=node1', false],
    ['list pods', 'spec.nodeName!=node0', false],
    ['list pods', 'spec.nodeName=node0\\,x', false],
    ['list pods', 'x=\\,spec.nodeName\\=node0', false],
    ['list resourceslices.resource.k8s.io', 'spec.nodeName==node0', true],
    ['deletecollection resourceslices.resource.k8s.io', 'spec.nodeName=node0', true],
    ['list resourceslices.resource.k8s.io', 'spec.nodeName==node1', false],
    ['deletecollection pods ns0/', 'spec.nodeName=node0', false],
    ['list configmaps ns0/', 'spec.nodeName=node0', false],
  ])('%s with %s', async (text, selector, allowed) =>
    expect((await ask(node0, text, select(selector))).decision).toBe(allowed ? 'allow' : 'no-opinion'),
  );
});

test.each<[string, UserInfo, string | undefined]>([
  ['a name without the group', { name: 'system:node:node0', groups: ['system:authenticated'] }, undefined],
  ['the group without the name', { name: 'jane', groups: ['system:nodes'] }, undefined],
  ['no name of a node', { name: 'system:node:', groups: ['system:nodes'] }, 'unknown node for user "system:node:"'],
])('%s is no node', async (_, user, reason) =>
  expect(await ask(user, 'get pods ns0/pod0')).toEqual({ decision: 'no-opinion', ...(reason && { reason }) }),
);

test('a path is no resource', async () =>
  expect((await ask(node0, 'get secrets ns0/env-pod0', { isResource: false, path: '/metrics' })).decision).toBe(
    'no-opinion',
  ));

test('thousands of references of a pod are read once', async () => {
  let reads = 0;
  const imagePullSecrets = Array.from({ length: 1000 }, (_, i) => ({
    get name() {
      reads++;
      return `many-${i}`;
    },
  }));
  const many = {
    ...pod('many', { nodeName: 'node2', imagePullSecrets }),
    metadata: { name: 'many', namespace: 'ns0' },
  };
  objects.pods.push(many as (typeof objects.pods)[number]);
  const node2 = { ...node0, name: 'system:node:node2' };
  for (let i = 0; i < 1000; i++)
    expect((await ask(node2, `get secrets ns0/many-${i}`)).decision, `many-${i}`).toBe('allow');
  expect((await ask(node2, 'get secrets ns0/many-1000')).decision).toBe('no-opinion');
  expect(reads).toBeLessThan(10_000);
});
