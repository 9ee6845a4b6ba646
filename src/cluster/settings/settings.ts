// The options of `up`, each declared once: the command line, --help, the README's table, the configuration and its type
// follow from this table.

import path from 'node:path';
import { admissionSettings } from './admission-settings.ts';
import { autoscalerSettings } from './autoscaler-settings.ts';
import { backupSettings } from './backup-settings.ts';
import { cloudSettings } from './cloud-settings.ts';
import { kubeletSettings } from './kubelet-settings.ts';
import { type NodeTaint, nodeLabels, nodeName, nodeTaints, taintText } from './node-settings.ts';
import { choice, file, type Setting, setting } from './setting.ts';
import {
  addressRanges,
  domain,
  namesOf,
  nodeAddress,
  pairs,
  ranges,
  text,
  thresholds,
  trueOrFalse,
  wholeNumber,
} from './setting-values.ts';
import { storeSettings } from './store-settings.ts';

export type { Setting } from './setting.ts';
export { SettingError } from './setting-values.ts';

export const componentNames = [
  'kube-apiserver',
  'kube-controller-manager',
  'cloud-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'cluster-dns',
  'metrics-server',
  'console',
] as const;
export type ComponentName = (typeof componentNames)[number];

export const settings = {
  port: setting({
    flag: 'port',
    argument: '<port>',
    help: 'port of the API server, 0 for any free one',
    default: 6443,
    read: wholeNumber(0, 65_535),
  }),
  runtime: choice({
    flag: 'runtime',
    argument: '<runtime>',
    help: 'container runtime: native uses crun or runc; cri uses containerd or CRI-O; simulated starts no processes',
    default: 'native',
    choices: ['native', 'cri', 'simulated'],
  }),
  criEndpoint: setting({
    flag: 'cri-endpoint',
    argument: '<socket>',
    help: 'socket of containerd or CRI-O, with --runtime cri',
    default: '/run/containerd/containerd.sock',
    read: text,
  }),
  ociRuntime: file({
    flag: 'oci-runtime',
    argument: '<path>',
    help: 'crun or runc for --runtime native; by default the first usable one on PATH',
  }),
  nodes: setting({
    flag: 'nodes',
    argument: '<n>',
    help: 'number of nodes',
    default: 1,
    read: wholeNumber(1, 5000),
  }),
  components: setting<readonly ComponentName[]>({
    flag: 'components',
    argument: '<list>',
    help: `run only these, separated by commas: ${componentNames.join(', ')}`,
    default: componentNames,
    read: namesOf('component', componentNames),
  }),
  disable: setting<readonly ComponentName[]>({
    flag: 'disable',
    argument: '<list>',
    help: 'components that the cluster does not have, separated by commas, such as kube-proxy,cluster-dns to install others in their place',
    default: [],
    read: namesOf('component', componentNames),
  }),
  ...storeSettings,
  encryptionConfig: setting<string | undefined>({
    flag: 'encryption-config',
    argument: '<file>',
    help: 'EncryptionConfiguration for stored data; auto: encrypts Secrets with a generated key',
    default: undefined,
    read: (value) => (value === 'auto' ? value : path.resolve(value)),
  }),
  auditPolicy: file({
    flag: 'audit-policy',
    argument: '<file>',
    help: 'audit policy (audit.k8s.io/v1): the requests to record',
  }),
  auditLog: setting<string | undefined>({
    flag: 'audit-log',
    argument: '<file>',
    help: 'file for recorded requests, - for standard output; by default audit.log in the data directory',
    default: undefined,
    read: (value) => (value === '-' ? value : path.resolve(value)),
  }),
  auditWebhookConfig: file({
    flag: 'audit-webhook-config',
    argument: '<file>',
    help: 'kubeconfig of a server that gets the recorded requests',
  }),
  authenticationConfig: file({
    flag: 'authentication-config',
    argument: '<file>',
    help: 'AuthenticationConfiguration: trusted token issuers (OpenID Connect), and paths with anonymous access',
  }),
  authenticationTokenWebhook: file({
    flag: 'authentication-token-webhook-config-file',
    argument: '<file>',
    help: 'kubeconfig of a server that authenticates other bearer tokens',
  }),
  tokenAuthFile: file({
    flag: 'token-auth-file',
    argument: '<file>',
    help: 'bearer tokens, one per line: token,user,uid,"group1,group2"',
  }),
  authorizationConfig: file({
    flag: 'authorization-config',
    argument: '<file>',
    help: 'AuthorizationConfiguration: the list of authorizers; by default Node, then RBAC',
  }),
  ...admissionSettings,
  tracingConfig: file({
    flag: 'tracing-config-file',
    argument: '<file>',
    help: 'TracingConfiguration: the collector that gets traces of requests, by OTLP over HTTP',
  }),
  schedulerConfig: file({
    flag: 'scheduler-config',
    argument: '<file>',
    help: 'KubeSchedulerConfiguration: profiles, plugins and extenders of the scheduler',
  }),
  anonymousAuth: setting<boolean>({
    flag: 'anonymous-auth',
    argument: '<true|false>',
    help: 'accept requests without credentials as system:anonymous, with the rights that RBAC gives it',
    default: true,
    read: trueOrFalse,
  }),
  nodeIP: setting<string | undefined>({
    flag: 'node-ip',
    argument: '<address>',
    help: 'address of the machine for pods and clients, or one of each family with a comma between; by default its first ones',
    default: undefined,
    read: nodeAddress,
  }),
  nodeName: setting<string | undefined>({
    flag: 'node-name',
    argument: '<name>',
    help: "name of this machine's node; by default that of the machine",
    default: undefined,
    read: nodeName,
  }),
  nodeLabels: setting<Readonly<Record<string, string>> | undefined>({
    flag: 'node-labels',
    argument: '<key=value,...>',
    help: "labels of this machine's nodes",
    default: undefined,
    read: nodeLabels,
    format: (labels) => pairs(labels, '='),
  }),
  nodeTaints: setting<readonly NodeTaint[]>({
    flag: 'node-taints',
    argument: '<key=value:effect,...>',
    help: "taints with which this machine's nodes are registered",
    default: [],
    read: nodeTaints,
    format: (taints) => taints.map(taintText).join(','),
  }),
  network: choice({
    flag: 'network',
    argument: '<network>',
    help: 'pod traffic between machines; routes: by static routes, or VXLAN to other networks; none: by a network plugin that you install',
    default: 'routes',
    choices: ['routes', 'none'],
  }),
  serviceCidr: setting<string | undefined>({
    flag: 'service-cidr',
    argument: '<ranges>',
    help: 'address range of services; by default 10.96.0.0/12, or the next free range on this machine; for dual stack one of each family, the primary first, such as 10.96.0.0/12,fd00:10:96::/112',
    default: undefined,
    // Kubernetes' largest ranges; the tenth address is that of cluster DNS.
    read: ranges({ largest: 12, smallest: 28 }, { largest: 64, smallest: 124 }),
  }),
  clusterCidr: setting<string | undefined>({
    flag: 'cluster-cidr',
    argument: '<ranges>',
    help: 'address range of pods, 256 per node; by default 10.244.0.0/16, or the next free range; for dual stack one of each family, such as 10.244.0.0/16,fd00:10:244::/56, with a /64 per node',
    default: undefined,
    // The controller gives nodes at most 2^16 ranges.
    read: ranges({ largest: 8, smallest: 24 }, { largest: 48, smallest: 64 }),
  }),
  clusterDomain: setting({
    flag: 'cluster-domain',
    argument: '<domain>',
    help: 'DNS domain of services and pods',
    default: 'cluster.local',
    read: domain,
  }),
  proxyMode: choice({
    flag: 'proxy-mode',
    argument: '<mode>',
    help: 'implementation of services; auto: nftables if available, otherwise userspace',
    default: 'auto',
    choices: ['auto', 'nftables', 'userspace'],
  }),
  loadBalancerRange: setting<readonly string[]>({
    flag: 'load-balancer-range',
    argument: '<ranges>',
    help: 'addresses of services of type LoadBalancer, such as 192.0.2.200-192.0.2.220 or 192.0.2.64/28, separated by commas: the nodes announce them; by default services have the addresses of the nodes',
    default: [],
    read: addressRanges,
  }),
  ...cloudSettings,
  evictionHard: setting<Readonly<Record<string, string>> | undefined>({
    flag: 'eviction-hard',
    argument: '<signal<amount,...>',
    help: "thresholds below which a node evicts pods, in place of Kubernetes' defaults, such as memory.available<5%",
    default: undefined,
    read: thresholds,
    format: (amounts) => pairs(amounts, '<'),
  }),
  kubeletConfig: file({
    flag: 'kubelet-config',
    argument: '<file>',
    help: 'KubeletConfiguration: resource managers, reserved resources, eviction, limits, images and static pods of the nodes',
  }),
  imageCredentialProviderConfig: file({
    flag: 'image-credential-provider-config',
    argument: '<place>',
    help: 'file or directory of CredentialProviderConfig: programs that give the credentials for images; needs --image-credential-provider-bin-dir',
  }),
  imageCredentialProviderBinDir: file({
    flag: 'image-credential-provider-bin-dir',
    argument: '<directory>',
    help: 'directory of the programs of credential providers',
  }),
  ...kubeletSettings,
  ...autoscalerSettings,
  ...backupSettings,
};

type ValueOf<S> = S extends Setting<infer T> ? T : never;
export type Settings = { readonly [Name in keyof typeof settings]: ValueOf<(typeof settings)[Name]> };
