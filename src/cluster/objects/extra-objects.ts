// Objects beside the control plane's: the service account, role and service of cluster DNS, and the published CA.

import { hostPathProvisioner } from '../../api/api.ts';
import { cloudControllerManagerRules } from '../../cloud-controller-manager/cloud-controller-manager.ts';
import type { FrontProxy } from '../../kube-apiserver/kube-apiserver.ts';
import {
  hostPathProvisionerRules,
  nodeCsrApproverRules,
} from '../../kube-controller-manager/kube-controller-manager.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { metricsServerRules } from '../../metrics-server/metrics-server.ts';
import { networkPolicyRules } from '../../network-policy/network-policy.ts';
import { kubeletClientName } from '../certificates/certificates.ts';
import { identities } from '../identities.ts';
import { dnsServiceSpec } from './dns-service.ts';

export interface BootstrapInputs {
  readonly serviceCidr: string;
  /** First address of the service range: the API server's service. */
  readonly apiServiceIP: string;
  /** Where the API server answers, for pods. */
  readonly endpoint: { readonly ip: string; readonly port: number };
  /** PEM; undefined: no client certificate is accepted. */
  readonly clientCA?: string | undefined;
  readonly frontProxy?: FrontProxy | undefined;
  /** Of a whole cluster: service of cluster DNS, and the rights of its parts. */
  readonly dnsServiceIPs?: readonly string[];
  readonly clock: Pick<Clock, 'now'>;
}

const dnsLabels = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' };

/** The class of claims that name none. Its volumes are directories of nodes. */
export const defaultStorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: hostPathProvisioner,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
  allowVolumeExpansion: true,
};

/** An object that the cluster makes for itself. */
export interface SystemObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string | undefined>>;
    readonly labels?: Readonly<Record<string, string | undefined>>;
  };
  readonly [field: string]: unknown;
}
type Entry = [collection: string, object: SystemObject];

const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };

export function* metricsRoles(): Generator<Entry> {
  yield* userRole(identities.metricsServer.name, metricsServerRules);
  const labels = Object.fromEntries(
    ['view', 'edit', 'admin'].map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']),
  );
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    {
      ...rbac,
      kind: 'ClusterRole',
      metadata: { name: 'coracle:metrics-reader', labels },
      rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['nodes', 'pods'], verbs: ['get', 'list'] }],
    },
  ];
}

export function* extraObjects({ dnsServiceIPs }: BootstrapInputs): Generator<Entry> {
  if (!dnsServiceIPs) return;
  yield* kubeletClientRights();
  yield* dnsRights();
  yield* userRole(identities.networkPolicy.name, networkPolicyRules);
  yield dnsService(dnsServiceIPs);
  yield* userRole(identities.cloudControllerManager.name, cloudControllerManagerRules);
  yield* ownController('coracle:host-path-provisioner', 'host-path-provisioner', hostPathProvisionerRules);
  yield* ownController('coracle:node-csr-approver', 'node-csr-approver', nodeCsrApproverRules);
}

function* kubeletClientRights(): Generator<Entry> {
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    {
      ...rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: kubeletClientName },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:kubelet-api-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: kubeletClientName }],
    },
  ];
}

function* dnsRights(): Generator<Entry> {
  yield [
    '/api/v1/serviceaccounts',
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'coredns', namespace: 'kube-system' } },
  ];
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    {
      ...rbac,
      kind: 'ClusterRole',
      metadata: { name: 'system:coredns' },
      rules: [
        { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      ],
    },
  ];
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    {
      ...rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }],
    },
  ];
}

/** A role of a user with the same name. */
const userRole = (name: string, rules: readonly object[]) =>
  role(name, rules, { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name });

/** The rights of a controller that Kubernetes does not have. */
const ownController = (name: string, account: string, rules: readonly object[]) =>
  role(name, rules, { kind: 'ServiceAccount', name: account, namespace: 'kube-system' });

/** A cluster role, and the subject that has it. */
function* role(name: string, rules: readonly object[], subject: object): Generator<Entry> {
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    { ...rbac, kind: 'ClusterRole', metadata: { name }, rules },
  ];
  yield [
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    {
      ...rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [subject],
    },
  ];
}

const dnsService = (clusterIPs: readonly string[]): Entry => [
  '/api/v1/services',
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: dnsLabels,
      annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
    },
    spec: {
      ...{ clusterIP: clusterIPs[0], clusterIPs, ...dnsServiceSpec },
      ...(clusterIPs.length > 1 && { ipFamilyPolicy: 'PreferDualStack' }),
    },
  },
];
