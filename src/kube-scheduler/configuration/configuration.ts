// KubeSchedulerConfiguration: profiles with their plugins, arguments of plugins, extenders. YAML or JSON.
// https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/

import { duplicate, type FieldError, invalidValue, parseYaml, required, YamlError } from '../../api/api.ts';
import { isObject, type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';
import { argumentFaults, argumentShapes, type PluginArguments, readArguments } from './arguments.ts';
import { SchedulerConfigurationError } from './error.ts';
import { type ExtenderConfig, extenderFaults, extenderShape, type GivenExtender, readExtender } from './extenders.ts';
import { extensionPoints } from './plugin-points.ts';
import { type PluginSets, type ProfilePlugins, pluginsOfProfile } from './plugin-sets.ts';

export interface ProfileSettings {
  readonly schedulerName: string;
  readonly plugins: ProfilePlugins;
  readonly arguments: PluginArguments;
  /** 0: by the number of nodes. */
  readonly percentageOfNodesToScore: number;
}

export interface SchedulerSettings {
  readonly profiles: readonly ProfileSettings[];
  readonly podInitialBackoffSeconds: number;
  readonly podMaxBackoffSeconds: number;
  readonly extenders: readonly ExtenderConfig[];
  /** Fields that have no effect here. */
  readonly unused: readonly string[];
}

const group = 'kubescheduler.config.k8s.io/v1';

const entries: readonly [Shape] = [{ name: 'string', weight: 'integer' }];
const pluginSet: Shape = { enabled: entries, disabled: entries };
const profileShape: Shape = {
  schedulerName: 'string',
  percentageOfNodesToScore: 'integer',
  plugins: Object.fromEntries([...extensionPoints, 'multiPoint'].map((point) => [point, pluginSet])),
  pluginConfig: [{ name: 'string', args: 'any' }],
};
const shape: Shape = {
  apiVersion: 'string',
  kind: 'string',
  parallelism: 'integer',
  leaderElection: {
    leaderElect: 'boolean',
    leaseDuration: 'string',
    renewDeadline: 'string',
    retryPeriod: 'string',
    resourceLock: 'string',
    resourceName: 'string',
    resourceNamespace: 'string',
  },
  clientConnection: {
    kubeconfig: 'string',
    acceptContentTypes: 'string',
    contentType: 'string',
    qps: 'any',
    burst: 'integer',
  },
  enableProfiling: 'boolean',
  enableContentionProfiling: 'boolean',
  delayCacheUntilActive: 'boolean',
  percentageOfNodesToScore: 'integer',
  podInitialBackoffSeconds: 'integer',
  podMaxBackoffSeconds: 'integer',
  profiles: [profileShape],
  extenders: [extenderShape],
};
/** The cluster decides about these. */
const unusedFields = [
  'parallelism',
  'leaderElection',
  'clientConnection',
  'enableProfiling',
  'enableContentionProfiling',
  'delayCacheUntilActive',
] as const;

interface GivenProfile {
  readonly schedulerName?: string;
  readonly percentageOfNodesToScore?: number;
  readonly plugins?: PluginSets;
  readonly pluginConfig?: readonly { readonly name?: string; readonly args?: unknown }[];
}

interface Given {
  readonly parallelism?: number;
  readonly leaderElection?: { readonly leaderElect?: boolean; readonly resourceLock?: string };
  readonly percentageOfNodesToScore?: number;
  readonly podInitialBackoffSeconds?: number;
  readonly podMaxBackoffSeconds?: number;
  readonly profiles?: readonly GivenProfile[];
  readonly extenders?: readonly GivenExtender[];
}

/** Throws SchedulerConfigurationError. */
export function parseSchedulerConfiguration(text: string): SchedulerSettings {
  const given = decode(text);
  const profiles = given.profiles?.length ? given.profiles : [{}];
  // Of several profiles, each must have its own name.
  const named = profiles.length === 1 ? [{ schedulerName: 'default-scheduler', ...profiles[0] }] : profiles;
  refuse(faultsOf(given, named));
  return {
    profiles: named.map((profile) => settingsOf(profile, given.percentageOfNodesToScore ?? 0)),
    podInitialBackoffSeconds: given.podInitialBackoffSeconds ?? 1,
    podMaxBackoffSeconds: given.podMaxBackoffSeconds ?? 10,
    extenders: (given.extenders ?? []).map(readExtender),
    unused: [
      ...unusedFields.filter((field) => field in given),
      ...(named.some(hasFilterTimeout) ? ['filterTimeout'] : []),
    ],
  };
}

/** The search for devices is limited by its number of steps, not by time. */
const hasFilterTimeout = ({ pluginConfig = [] }: GivenProfile): boolean =>
  pluginConfig.some(({ name, args }) => name === 'DynamicResources' && isObject(args) && 'filterTimeout' in args);

function decode(text: string): Given {
  let value: unknown;
  try {
    value = withoutNulls(parseYaml(text).value);
  } catch (error) {
    if (error instanceof YamlError) throw new SchedulerConfigurationError(`it is no YAML: ${error.message}`);
    throw error;
  }
  if (!isObject(value)) throw new SchedulerConfigurationError('it is empty, or no object');
  const { apiVersion, kind } = value;
  if (kind !== 'KubeSchedulerConfiguration' || apiVersion !== group)
    throw new SchedulerConfigurationError(
      `no kind "${kind ?? ''}" is registered for version "${apiVersion ?? ''}": use kind KubeSchedulerConfiguration of ${group}`,
    );
  strict([...shapeFaults(value, shape)]);
  const given = value as Given;
  for (const [index, { pluginConfig }] of (given.profiles ?? []).entries())
    for (const [at, { name = '', args }] of (pluginConfig ?? []).entries())
      decodeArguments(`decoding .profiles[${index}].pluginConfig[${at}]: `, name, args);
  return given;
}

function strict(faults: readonly string[], prefix = ''): void {
  if (faults.length > 0) throw new SchedulerConfigurationError(`${prefix}strict decoding error: ${faults.join(', ')}`);
}

function decodeArguments(prefix: string, name: string, args: unknown): void {
  const expected = argumentShapes[name];
  if (!expected || args === undefined) return;
  const before = `${prefix}decoding args for plugin ${name}: `;
  if (!isObject(args)) throw new SchedulerConfigurationError(`${before}it is no object`);
  strict([...shapeFaults(args, { apiVersion: 'string', kind: 'string', ...expected })], before);
  const { apiVersion = group, kind = `${name}Args` } = args;
  if (kind !== `${name}Args` || apiVersion !== group)
    throw new SchedulerConfigurationError(
      `${prefix}args for plugin ${name} were not of type ${name}Args.kubescheduler.config.k8s.io, got ${kind}`,
    );
}

function refuse(faults: readonly FieldError[]): void {
  if (faults.length > 0)
    throw new SchedulerConfigurationError(
      faults.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('; '),
    );
}

function faultsOf(given: Given, profiles: readonly GivenProfile[]): FieldError[] {
  const { parallelism = 1, leaderElection = {}, podInitialBackoffSeconds: first = 1 } = given;
  const { podMaxBackoffSeconds: longest = 10 } = given;
  const fault = (isFaulty: boolean, field: string, value: unknown, message: string) =>
    isFaulty ? [invalidValue(field, value, message)] : [];
  const lock = leaderElection.resourceLock ?? 'leases';
  return [
    ...fault(
      (leaderElection.leaderElect ?? true) && lock !== 'leases',
      'leaderElection.resourceLock',
      lock,
      'resourceLock value must be "leases"',
    ),
    ...fault(parallelism <= 0, 'parallelism', parallelism, 'should be an integer value greater than zero'),
    ...profiles.flatMap((profile, index) => profileFaults(profile, `profiles[${index}]`)),
    ...repeatedNames(profiles),
    ...percentageFaults(given.percentageOfNodesToScore, 'percentageOfNodesToScore'),
    ...fault(first <= 0, 'podInitialBackoffSeconds', first, 'must be greater than 0'),
    ...fault(
      longest < first,
      'podMaxBackoffSeconds',
      longest,
      'must be greater than or equal to PodInitialBackoffSeconds',
    ),
    ...extenderFaults(given.extenders ?? []),
  ];
}

const percentageFaults = (percentage: number | undefined, field: string): FieldError[] =>
  percentage !== undefined && (percentage < 0 || percentage > 100)
    ? [invalidValue(field, percentage, 'not in valid range [0-100]')]
    : [];

/** Names of plugins that Kubernetes removed. */
const removedPlugins = new Set(['AzureDiskLimits', 'CinderLimits', 'EBSLimits', 'GCEPDLimits']);
const removed = (field: string, name: string): FieldError =>
  invalidValue(field, name, `was invalid in version "${group}" (KubeSchedulerConfiguration is version "${group}")`);

function profileFaults(profile: GivenProfile, path: string): FieldError[] {
  const faults: FieldError[] = [];
  if (!profile.schedulerName) faults.push(required(`${path}.schedulerName`));
  faults.push(...percentageFaults(profile.percentageOfNodesToScore, `${path}.percentageOfNodesToScore`));
  for (const point of extensionPoints)
    for (const [index, { name }] of (profile.plugins?.[point]?.enabled ?? []).entries())
      if (removedPlugins.has(name)) faults.push(removed(`${path}.plugins.${point}.enabled[${index}]`, name));
  const seen = new Set<string>();
  for (const [index, { name = '', args }] of (profile.pluginConfig ?? []).entries()) {
    const at = `${path}.pluginConfig[${index}]`;
    if (seen.has(name)) faults.push(duplicate(at, name));
    seen.add(name);
    if (removedPlugins.has(name)) faults.push(removed(at, name));
    else faults.push(...argumentFaults(name, args, `${at}.args`));
  }
  return faults;
}

function repeatedNames(profiles: readonly GivenProfile[]): FieldError[] {
  const seen = new Map<string, number>();
  return profiles.flatMap(({ schedulerName = '' }, index) => {
    const before = seen.get(schedulerName);
    seen.set(schedulerName, index);
    return before === undefined
      ? []
      : [duplicate(`profiles[${index}].schedulerName`, `profiles[${before}].schedulerName`)];
  });
}

function settingsOf(profile: GivenProfile, percentage: number): ProfileSettings {
  const { schedulerName = '', plugins = {}, pluginConfig = [], percentageOfNodesToScore = percentage } = profile;
  return {
    schedulerName,
    plugins: pluginsOfProfile(plugins, schedulerName),
    arguments: readArguments(new Map(pluginConfig.map(({ name = '', args }) => [name, args]))),
    percentageOfNodesToScore,
  };
}
