// The configuration of a whole cluster: its settings, completed with defaults and checked in one place.

import { createHash } from 'node:crypto';
import os from 'node:os';
import { cidrsOverlap, parseCidrs, parseIp, parseIpRange, rangeContains, rangesOverlap } from '../machinery/ip.ts';
import { must } from '../machinery/must.ts';
import { familiesOf, familyNames, isLocalOnly, nodeAddresses, primaryAddress } from './addresses/node-addresses.ts';
import type { ServerRequest } from './joining/types.ts';
import { list } from './settings/setting-values.ts';
import { componentNames, SettingError, type Settings, settings } from './settings/settings.ts';
import { checkStore } from './settings/store-settings.ts';

export { isCaHash, isCertificateKey } from './joining/join-values.ts';
export {
  type ComponentName,
  componentNames,
  type Setting,
  SettingError,
  type Settings,
  settings,
} from './settings/settings.ts';
export { checkEtcdFiles, type EtcdFiles, storeSettings } from './settings/store-settings.ts';

export interface ClusterConfig extends Omit<Settings, 'port' | 'nodes' | 'nodeIP'> {
  readonly name: string;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Port of the API server; 0 takes a free one. Undefined: it is reached in this process alone. */
  readonly port: number | undefined;
  readonly nodeNames: readonly string[];
  /** Address of this machine for its pods and for clients. */
  readonly nodeIP: string;
  /** Those that the user gave, so that the cloud must know them. */
  readonly givenNodeIPs?: readonly string[];
  /** With it, this machine is one server of several, which share etcd. */
  readonly server?: ServerRequest;
}

/** Addresses of services and of pods: one range, or two of different families with a comma between, the primary first. */
export interface Ranges {
  readonly serviceCidr: string;
  readonly clusterCidr: string;
}

/** The configuration of a cluster that starts: its ranges are chosen. */
export type RunConfig = Omit<ClusterConfig, keyof Ranges | 'server'> &
  Ranges & {
    /** Of the cluster's families, as far as the machine has them. `nodeIP` is the first. */
    readonly nodeIPs: readonly string[];
  };

/** Throws SettingError when the machine has no address of the cluster's primary family, or settings have other ones. */
export function runConfigOf({ server: _, ...config }: ClusterConfig, ranges: Ranges): RunConfig {
  const nodeIPs = nodeAddresses(config.givenNodeIPs, ranges.serviceCidr);
  const families = familiesOf(ranges.serviceCidr);
  const foreign = config.loadBalancerRange.find((text) => !families.includes(must(parseIpRange(text), text).family));
  if (foreign !== undefined)
    throw new SettingError(`--load-balancer-range ${foreign}: the cluster has ${familyNames(families)} alone`);
  return { ...config, ...ranges, nodeIP: nodeIPs[0], nodeIPs };
}

const crowdClusterCidr = '10.128.0.0/9';
/** Each node gets a range of this prefix. */
const nodePrefix = { 4: 24, 6: 64 } as const;

/** The ranges of a cluster that shares its machine's network with no other one. */
export const defaultRanges = ({ serviceCidr, clusterCidr, runtime, nodeNames }: ClusterConfig): Ranges => ({
  serviceCidr: serviceCidr ?? '10.96.0.0/12',
  // The default range has 256 node ranges.
  clusterCidr: clusterCidr ?? (runtime === 'simulated' && nodeNames.length > 256 ? crowdClusterCidr : '10.244.0.0/16'),
});

/** Settings of a cluster; each that is absent has its default. */
export type ClusterRequest = Pick<ClusterConfig, 'name' | 'dataDirectory'> &
  Partial<ClusterConfig> &
  Partial<Pick<Settings, 'nodes' | 'nodeIP' | 'nodeName'>>;

/** Throws SettingError when settings contradict each other. */
export function completeConfig(request: ClusterRequest): ClusterConfig {
  const config = withDefaults(request);
  checkConfig(config);
  return config;
}

/** The configuration of a machine that has nodes alone: the control plane is elsewhere. Throws SettingError. */
export function completeNodeConfig(request: ClusterRequest): ClusterConfig {
  if (request.runtime === 'simulated')
    throw new SettingError('simulated nodes are part of one process: start them with "up --runtime simulated"');
  return withDefaults({ ...request, nodes: 1, port: undefined, components: ['kubelet', 'kube-proxy'] });
}

function withDefaults({ nodes, nodeIP, nodeName, ...given }: ClusterRequest): ClusterConfig {
  const { nodes: defaultNodes, nodeIP: _, ...defaults } = defaultSettings();
  const config: ClusterConfig = {
    ...defaults,
    nodeNames: nodeNames(given.name, nodes ?? defaultNodes, nodeName),
    nodeIP: nodeIP === undefined ? primaryAddress() : list(nodeIP)[0],
    nodeName,
    ...(nodeIP !== undefined && { givenNodeIPs: list(nodeIP) }),
    ...given,
  };
  const { components, disable } = config;
  return { ...config, components: components.filter((name) => !disable.includes(name)) };
}

const defaultSettings = (): Settings =>
  Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default])) as Settings;

/** The configuration of this machine as the first of several servers. Throws SettingError. */
export function serverConfig(config: ClusterConfig): ClusterConfig {
  const server: ClusterConfig = { ...config, server: { init: true } };
  checkServer(server);
  if (isLocalOnly(config.nodeIP))
    throw new SettingError(
      'the other servers must reach this one: start the cluster with --node-ip and an address of this machine first',
    );
  const missing = componentNames.filter((name) => ![...config.components, ...config.disable].includes(name));
  if (missing.length > 0) throw new SettingError(`a server runs all components, and --components lacks ${missing[0]}`);
  return server;
}

function checkServer({ server, store, runtime, nodeNames, port }: ClusterConfig): void {
  if (!server) return;
  if (store !== 'embedded') throw new SettingError('a server has its own etcd member: leave --store out');
  if (runtime === 'simulated' || nodeNames.length > 1)
    throw new SettingError('a server is one machine with one real node: leave --runtime simulated and --nodes out');
  if (!port) throw new SettingError('a server needs a fixed --port, by which the others reach it');
}

function checkConfig(config: ClusterConfig): void {
  checkServer(config);
  checkStore(config);
  const { components, auditPolicy, auditLog, auditWebhookConfig } = config;
  if (!auditPolicy && (auditLog || auditWebhookConfig))
    throw new SettingError('--audit-log and --audit-webhook-config need --audit-policy with the requests to record');
  if (config.disable.includes('kube-apiserver'))
    throw new SettingError('--disable kube-apiserver: every other component needs it');
  if (!components.includes('kube-apiserver'))
    throw new SettingError(`${components[0]} needs kube-apiserver: add it to --components`);
  const both = config.enableAdmissionPlugins.find((name) => config.disableAdmissionPlugins.includes(name));
  if (both)
    throw new SettingError(
      `${both} is in --enable-admission-plugins and in --disable-admission-plugins: remove it from one of them`,
    );
  checkBackups(config);
  checkCloud(config);
  checkManagers(config);
  checkRanges(config);
}

/** Each kubelet would give the same CPUs and memory away. */
function checkManagers({ nodeNames, runtime, cpuManagerPolicy, memoryManagerPolicy }: ClusterConfig): void {
  const isStatic = cpuManagerPolicy === 'static' || memoryManagerPolicy === 'Static';
  if (nodeNames.length > 1 && runtime !== 'simulated' && isStatic)
    throw new SettingError('the static policies of CPUs and memory need one node on a machine: leave --nodes out');
}

function checkBackups({ backupSchedule, backupTo, backupRecipients }: ClusterConfig): void {
  if ((backupSchedule === undefined) !== (backupTo === undefined))
    throw new SettingError('--backup-schedule and --backup-to need each other');
  const foreign = backupRecipients.find((recipient) => !recipient.startsWith('age1'));
  if (foreign !== undefined)
    throw new SettingError(`--backup-recipients ${foreign}: a public key of age begins with age1`);
}

function checkCloud({
  cloudProvider = 'local',
  cloudConfig,
  loadBalancerRange,
  providerID,
  nodeNames,
}: ClusterConfig): void {
  if (providerID !== undefined && (cloudProvider === 'local' || nodeNames.length > 1))
    throw new SettingError('--provider-id needs another --cloud-provider than local, and one node');
  if (cloudProvider === 'local') {
    if (cloudConfig) throw new SettingError('--cloud-config needs another --cloud-provider than local');
    return;
  }
  if (!cloudConfig)
    throw new SettingError(`--cloud-provider ${cloudProvider} needs --cloud-config with the file of its configuration`);
  if (loadBalancerRange.length > 0)
    throw new SettingError('--load-balancer-range needs --cloud-provider local: addresses come from the cloud');
}

function checkRanges(config: ClusterConfig): void {
  const { serviceCidr, clusterCidr } = config;
  checkFamilies(config);
  if (serviceCidr && clusterCidr && overlap(serviceCidr, clusterCidr))
    throw new SettingError(
      `--service-cidr ${serviceCidr} and --cluster-cidr ${clusterCidr} overlap: choose another one`,
    );
  const pods = defaultRanges(config).clusterCidr;
  checkBalancers(config);
  for (const { family, prefix } of parseCidrs(pods) ?? []) {
    const room = 2 ** (nodePrefix[family] - prefix);
    const size = family === 4 ? '256 addresses' : `a /${nodePrefix[6]} each`;
    if (config.nodeNames.length > room)
      throw new SettingError(
        `${pods} has room for ${room} nodes of ${size}: choose a larger --cluster-cidr, or fewer --nodes`,
      );
  }
}

/** Pods and services have the same families, and so has the machine. */
function checkFamilies({ serviceCidr, clusterCidr, givenNodeIPs, server, proxyMode }: ClusterConfig): void {
  const [services, pods] = [serviceCidr, clusterCidr].map((ranges) => ranges && familyNames(familiesOf(ranges)));
  const [one, other] = [services ?? 'IPv4', pods ?? 'IPv4'];
  if (one !== other)
    throw new SettingError(
      `--service-cidr has ${one}${services ? '' : ' by default'}, and --cluster-cidr ${other}${pods ? '' : ' by default'}: give both the same families in the same order, such as --service-cidr 10.96.0.0/12,fd00:10:96::/112 --cluster-cidr 10.244.0.0/16,fd00:10:244::/56`,
    );
  if (serviceCidr && proxyMode === 'userspace' && familiesOf(serviceCidr).includes(6))
    throw new SettingError('--proxy-mode userspace has no IPv6: choose nftables or auto');
  // A machine that joins has the ranges of its cluster.
  if (serviceCidr && !server?.join) nodeAddresses(givenNodeIPs, serviceCidr);
}

function checkBalancers({ loadBalancerRange, nodeIP, serviceCidr, clusterCidr }: ClusterConfig): void {
  for (const text of loadBalancerRange) {
    const range = must(parseIpRange(text), text);
    for (const [flag, cidr] of [
      ['--service-cidr', serviceCidr],
      ['--cluster-cidr', clusterCidr],
    ])
      if (cidr && list(cidr).some((each) => rangesOverlap(range, must(parseIpRange(each), each))))
        throw new SettingError(`--load-balancer-range ${text} and ${flag} ${cidr} overlap: choose another one`);
    const ip = parseIp(nodeIP);
    if (ip && rangeContains(range, ip))
      throw new SettingError(`--load-balancer-range ${text} contains ${nodeIP}, the address of this machine`);
  }
}

/** Whether ranges, each a list with commas, share an address. */
export function overlap(one: string, other: string): boolean {
  const others = parseCidrs(other) ?? [];
  return (parseCidrs(one) ?? []).some((a) => others.some((b) => cidrsOverlap(a, b)));
}

/** Distinguishes the rules of clusters on one machine, even of those with the same name. */
export const machineName = ({ name, dataDirectory }: Pick<ClusterConfig, 'name' | 'dataDirectory'>): string =>
  `${name}-${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 8)}`;

/** One node has the machine's name, more are numbered; those of a named cluster contain its name too. */
function nodeNames(cluster: string, nodes: number, given: string | undefined): readonly string[] {
  const hostname =
    os
      .hostname()
      .toLowerCase()
      .replace(/[^a-z0-9.-]/g, '-')
      .replace(/^[.-]+|[.-]+$/g, '') || 'node';
  const base = given ?? (cluster === 'coracle' ? hostname : `${hostname}-${cluster}`);
  return nodes === 1 ? [base] : Array.from({ length: nodes }, (_, i) => `${base}-${i + 1}`);
}
