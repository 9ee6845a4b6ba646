// The options of `up`, each declared once: the command line, --help, the README's table, the configuration and its type
// follow from this table.

import path from 'node:path';
import { parseCidr, parseIp } from '../machinery/ip.ts';
import { wholeValue } from '../machinery/quantity.ts';

export interface Setting<T> {
  /** Name on the command line, without dashes. */
  readonly flag: string;
  /** Placeholder of the value in --help. */
  readonly argument: string;
  readonly help: string;
  /** Value when the option is absent; undefined: `completeConfig`, or the part that uses it, chooses one. */
  readonly default: T;
  /** The only values that are allowed. */
  readonly choices?: readonly T[];
  /** Throws SettingError. Returns absolute paths. */
  read(text: string): T;
}

/** An invalid value. The message has the cause and the remedy. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export const componentNames = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'cluster-dns',
  'metrics-server',
] as const;
export type ComponentName = (typeof componentNames)[number];

/** Admission plugins by their names in Kubernetes, in its order: those that run by default. */
export const defaultAdmissionPlugins = [
  'NamespaceLifecycle',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'PodSecurity',
  'Priority',
  'DefaultTolerationSeconds',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'PodGroupProtection',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'ClusterTrustBundleAttest',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'PodTopologyLabels',
  'PodGroupWorkloadExists',
  'NodeDeclaredFeatureValidator',
  'JobValidation',
  'PodResizeValidator',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
] as const;

/** Plugins that run only by name. */
export const optionalAdmissionPlugins = [
  'AlwaysAdmit',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'LimitPodHardAntiAffinityTopology',
  'AlwaysPullImages',
  'ImagePolicyWebhook',
  'PodNodeSelector',
  'PodTolerationRestriction',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'OwnerReferencesPermissionEnforcement',
  'DenyServiceExternalIPs',
  'AlwaysDeny',
] as const;

const admissionPluginNames = [...defaultAdmissionPlugins, ...optionalAdmissionPlugins];

const setting = <T>(declaration: Setting<T>): Setting<T> => declaration;
const text = (value: string): string => value;
const list = (value: string): readonly string[] => value.split(',').map((part) => part.trim());

function choice<const T extends string>(
  declaration: Omit<Setting<T>, 'read' | 'choices'> & { readonly choices: readonly T[] },
): Setting<T> {
  const read = (value: string) => {
    const found = declaration.choices.find((allowed) => allowed === value);
    if (found === undefined) throw new SettingError(`Allowed choices are ${declaration.choices.join(', ')}.`);
    return found;
  };
  return { ...declaration, read };
}

const file = (declaration: Pick<Setting<unknown>, 'flag' | 'argument' | 'help'>): Setting<string | undefined> => ({
  ...declaration,
  default: undefined,
  read: (value) => path.resolve(value),
});

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
  store: choice({
    flag: 'store',
    argument: '<store>',
    help: 'storage of cluster data: embedded is LMDB in the data directory; etcd is a real etcd; memory stores no data on disk',
    default: 'embedded',
    choices: ['embedded', 'etcd', 'memory'],
  }),
  etcdEndpoints: setting<readonly string[]>({
    flag: 'etcd-endpoints',
    argument: '<urls>',
    help: 'etcd servers for --store etcd, separated by commas',
    default: [],
    read: list,
  }),
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
  enableAdmissionPlugins: setting<readonly string[]>({
    flag: 'enable-admission-plugins',
    argument: '<list>',
    help: 'admission plugins to run in addition to the default ones, separated by commas',
    default: [],
    read: namesOf('admission plugin', admissionPluginNames),
  }),
  disableAdmissionPlugins: setting<readonly string[]>({
    flag: 'disable-admission-plugins',
    argument: '<list>',
    help: 'default admission plugins to skip, separated by commas',
    default: [],
    read: namesOf('admission plugin', admissionPluginNames),
  }),
  admissionControlConfig: file({
    flag: 'admission-control-config-file',
    argument: '<file>',
    help: 'AdmissionConfiguration: configuration of admission plugins',
  }),
  tracingConfig: file({
    flag: 'tracing-config-file',
    argument: '<file>',
    help: 'TracingConfiguration: the collector that gets traces of requests, by OTLP over HTTP',
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
    help: 'address of the machine for pods and clients; by default its first one',
    default: undefined,
    read: ipv4,
  }),
  serviceCidr: setting<string | undefined>({
    flag: 'service-cidr',
    argument: '<range>',
    help: 'address range of services; by default 10.96.0.0/12, or the next free range on this machine',
    default: undefined,
    // Kubernetes' largest range; the tenth address is that of cluster DNS.
    read: range(12, 28),
  }),
  clusterCidr: setting<string | undefined>({
    flag: 'cluster-cidr',
    argument: '<range>',
    help: 'address range of pods, 256 per node; by default 10.244.0.0/16, or the next free range',
    default: undefined,
    read: range(8, 24),
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
  evictionHard: setting<Readonly<Record<string, string>> | undefined>({
    flag: 'eviction-hard',
    argument: '<signal<amount,...>',
    help: "thresholds below which a node evicts pods, in place of Kubernetes' defaults, such as memory.available<5%",
    default: undefined,
    read: thresholds,
  }),
};

type ValueOf<S> = S extends Setting<infer T> ? T : never;
export type Settings = { readonly [Name in keyof typeof settings]: ValueOf<(typeof settings)[Name]> };

function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() && Number.isInteger(number) && number >= least && number <= most) return number;
    throw new SettingError(`Give a whole number from ${least} to ${most}.`);
  };
}

function trueOrFalse(value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new SettingError('Give true or false.');
}

function namesOf<T extends string>(label: string, names: readonly T[]): (value: string) => readonly T[] {
  return (value) =>
    list(value).map((name) => {
      const found = names.find((allowed) => allowed === name);
      if (found === undefined) throw new SettingError(`unknown ${label} "${name}". Allowed: ${names.join(', ')}`);
      return found;
    });
}

/** The kubelet's signals of eviction. */
const evictionSignals = [
  ...['memory.available', 'pid.available', 'nodefs.available', 'nodefs.inodesFree'],
  ...['imagefs.available', 'imagefs.inodesFree'],
];

/** In the format of the kubelet's own flag. */
function thresholds(value: string): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (const item of list(value)) {
    const [signal, amount = '', more] = item.split('<').map((part) => part.trim());
    if (!amount || more !== undefined)
      throw new SettingError(`"${item}" is no threshold. Give <signal><<amount>, such as memory.available<5%.`);
    if (!evictionSignals.includes(signal))
      throw new SettingError(`unknown eviction signal "${signal}". Allowed: ${evictionSignals.join(', ')}`);
    if (found.has(signal)) throw new SettingError(`${signal} has two thresholds.`);
    if (!isThreshold(amount))
      throw new SettingError(`"${amount}" is no amount of ${signal}. Give a positive quantity or 0% to 100%.`);
    found.set(signal, amount);
  }
  return Object.fromEntries(found);
}

function isThreshold(amount: string): boolean {
  if (!amount.endsWith('%')) {
    try {
      return wholeValue(amount) > 0;
    } catch {
      return false;
    }
  }
  const percent = Number(amount.slice(0, -1));
  return amount.length > 1 && percent >= 0 && percent <= 100;
}

function ipv4(value: string): string {
  const address = parseIp(value);
  if (address?.family === 4) return value;
  throw new SettingError('Give an IPv4 address of this machine, such as 192.0.2.10.');
}

/** An IPv4 range; `largest` and `smallest` are lengths of its prefix. */
function range(largest: number, smallest: number): (value: string) => string {
  return (value) => {
    const cidr = parseCidr(value);
    if (cidr?.family !== 4) throw new SettingError('Give an IPv4 range, such as 10.96.0.0/12.');
    if (cidr.base !== cidr.address)
      throw new SettingError(`${value} is an address inside a range: give the first address of the range.`);
    if (cidr.prefix < largest || cidr.prefix > smallest)
      throw new SettingError(`Give a range from /${largest} to /${smallest}.`);
    return value;
  };
}

function domain(value: string): string {
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  if (value.length <= 253 && new RegExp(`^${label}(\\.${label})*$`).test(value)) return value;
  throw new SettingError('Give a DNS name in lower case, such as cluster.local.');
}
