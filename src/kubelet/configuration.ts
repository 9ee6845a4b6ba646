// Reads a file of KubeletConfiguration. Fields that have no effect here are refused by name.
// https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/

import { isIP } from 'node:net';
import { parse } from 'yaml';
import { type Shape, shapeFaults, withoutNulls } from '../machinery/fields/configuration-shape.ts';
import { type Fields, isFields, listIn } from '../machinery/parsed.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';
import { formatDuration, parseDuration } from '../machinery/time/duration.ts';
import { imageGarbageDefaults, type KubeletConfig } from './config.ts';
import { checkFixed } from './configuration-fixed.ts';
import { defaultHard, type EvictionConfig, thresholdsOf } from './eviction/thresholds.ts';
import { checkSysctlPatterns } from './pods/sysctls.ts';
import type { MemoryReservation } from './resource-managers/memory-reservation.ts';
import { type ResourceManagersInput, resourceManagersConfig } from './resource-managers/settings.ts';

/** The part of the configuration that the file sets. */
type FileConfig = Partial<
  Pick<
    KubeletConfig,
    | 'resourceManagers'
    | 'eviction'
    | 'maxPods'
    | 'podPidsLimit'
    | 'containerLogMaxSize'
    | 'containerLogMaxFiles'
    | 'containerLogMonitorIntervalMs'
    | 'imageGarbage'
    | 'nodeStatus'
    | 'allowedUnsafeSysctls'
    | 'seccompDefault'
    | 'clusterDNS'
    | 'clusterDomain'
    | 'staticPodPath'
    | 'fileCheckFrequencyMs'
    | 'staticPodURL'
    | 'staticPodURLHeader'
    | 'httpCheckFrequencyMs'
  >
> & {
  /** Limits the pods of small machines. */
  readonly podsPerCore?: number;
  /** The sum of systemReserved and kubeReserved. */
  readonly reserved?: { readonly cpuMillis: number; readonly memoryBytes: number };
};

const apiVersion = 'kubelet.config.k8s.io/v1beta1';
const kind = 'KubeletConfiguration';

const shape = {
  ...{ apiVersion: 'string', kind: 'string' },
  ...{ cpuManagerPolicy: 'string', cpuManagerPolicyOptions: 'map of strings', cpuManagerReconcilePeriod: 'string' },
  ...{ reservedSystemCPUs: 'string', memoryManagerPolicy: 'string' },
  reservedMemory: [{ numaNode: 'integer', limits: 'map of strings' }],
  ...{ topologyManagerPolicy: 'string', topologyManagerScope: 'string' },
  topologyManagerPolicyOptions: 'map of strings',
  ...{ systemReserved: 'map of strings', kubeReserved: 'map of strings' },
  ...{ maxPods: 'integer', podPidsLimit: 'integer', containerLogMaxSize: 'string', containerLogMaxFiles: 'integer' },
  ...{ evictionHard: 'map of strings', evictionSoft: 'map of strings', evictionSoftGracePeriod: 'map of strings' },
  ...{ evictionMinimumReclaim: 'map of strings', evictionPressureTransitionPeriod: 'string' },
  ...{ evictionMaxPodGracePeriod: 'integer', mergeDefaultEvictionSettings: 'boolean' },
  ...{ imageMinimumGCAge: 'string', imageMaximumGCAge: 'string' },
  ...{ imageGCHighThresholdPercent: 'integer', imageGCLowThresholdPercent: 'integer' },
  ...{ nodeStatusUpdateFrequency: 'string', nodeStatusReportFrequency: 'string' },
  ...{ nodeLeaseDurationSeconds: 'integer', nodeStatusMaxImages: 'integer' },
  ...{ containerLogMonitorInterval: 'string', podsPerCore: 'integer', seccompDefault: 'boolean' },
  ...{ allowedUnsafeSysctls: 'list of strings', clusterDNS: 'list of strings', clusterDomain: 'string' },
  ...{ staticPodPath: 'string', fileCheckFrequency: 'string' },
  ...{ staticPodURL: 'string', staticPodURLHeader: 'map of lists of strings', httpCheckFrequency: 'string' },
} as const satisfies Shape;

const largestInteger = 2 ** 31 - 1;
/** Of work that is repeated: less would be a loop without a pause. */
const leastPeriodMs = 100;

/** The fields with the types that `shapeFaults` has checked. */
interface Content {
  readonly texts: (name: keyof typeof shape) => string | undefined;
  readonly numbers: (name: keyof typeof shape) => number | undefined;
  readonly flags: (name: keyof typeof shape) => boolean | undefined;
  readonly lists: (name: keyof typeof shape) => readonly string[] | undefined;
  readonly maps: (name: keyof typeof shape) => Readonly<Record<string, string>> | undefined;
  readonly reservedMemory: readonly MemoryReservation[] | undefined;
}

/** Throws an Error with the first fault. */
export function parseKubeletConfiguration(text: string): FileConfig {
  const content = withoutNulls(parse(text, { maxAliasCount: 100 }));
  if (!isFields(content)) throw new Error('the content is not an object');
  if (content['apiVersion'] !== apiVersion || content['kind'] !== kind)
    throw new Error(`apiVersion and kind must be ${apiVersion} and ${kind}`);
  for (const [name, value] of Object.entries(content)) {
    if (Object.hasOwn(shape, name)) continue;
    checkFixed(name, value);
  }
  const own = Object.fromEntries(Object.entries(content).filter(([name]) => Object.hasOwn(shape, name)));
  for (const fault of shapeFaults(own, shape)) throw new Error(fault);
  for (const [name, value] of Object.entries(own))
    if (typeof value === 'number' && name !== 'podPidsLimit' && Math.abs(value) > largestInteger)
      throw new Error(`${name}: ${value} is no integer of 32 bits`);
  const typed = typedContent(own);
  const eviction = evictionOf(typed);
  thresholdsOf(eviction);
  const resourceManagers = managersOf(typed);
  resourceManagersConfig(resourceManagers);
  return {
    ...(Object.keys(resourceManagers).length > 0 && { resourceManagers }),
    ...(Object.keys(eviction).length > 0 && { eviction }),
    ...limitsOf(typed),
    ...imageGarbageOf(typed),
    ...nodeStatusOf(typed),
    ...podSettingsOf(typed),
    ...reservedOf(typed),
    ...defined({
      staticPodPath: typed.texts('staticPodPath') || undefined,
      fileCheckFrequencyMs: periodOf('fileCheckFrequency', typed.texts('fileCheckFrequency')),
      staticPodURL: urlOf('staticPodURL', typed.texts('staticPodURL')),
      staticPodURLHeader: headersOf('staticPodURLHeader', own['staticPodURLHeader']),
      httpCheckFrequencyMs: periodOf('httpCheckFrequency', typed.texts('httpCheckFrequency')),
    }),
  };
}

function urlOf(name: string, text: string | undefined): string | undefined {
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text;
  throw new Error(`${name}: ${JSON.stringify(text)} must be a URL of http or https`);
}

function headersOf(name: string, content: unknown): Readonly<Record<string, readonly string[]>> | undefined {
  if (!isFields(content)) return undefined;
  const headers: Record<string, readonly string[]> = {};
  for (const [header, values] of Object.entries(content)) {
    headers[header] = listIn(values).map(String);
    try {
      for (const value of headers[header]) new Headers().append(header, value);
    } catch {
      throw new Error(`${name}: ${JSON.stringify(header)} has a name or value that no header can have`);
    }
  }
  return headers;
}

function typedContent(content: Fields): Content {
  const entries = Array.isArray(content['reservedMemory']) ? content['reservedMemory'].filter(isFields) : undefined;
  const mapIn = (value: unknown) => {
    if (!isFields(value)) return undefined;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]));
  };
  return {
    texts: (name) => (typeof content[name] === 'string' ? content[name] : undefined),
    numbers: (name) => (typeof content[name] === 'number' ? content[name] : undefined),
    flags: (name) => (typeof content[name] === 'boolean' ? content[name] : undefined),
    lists: (name) => (Array.isArray(content[name]) ? content[name].map(String) : undefined),
    maps: (name) => mapIn(content[name]),
    reservedMemory: entries?.map(({ numaNode, limits }) => ({
      numaNode: Number(numaNode),
      limits: mapIn(limits) ?? {},
    })),
  };
}

const managersOf = ({ texts, maps, reservedMemory }: Content): ResourceManagersInput =>
  defined({
    cpuManagerPolicy: texts('cpuManagerPolicy'),
    cpuManagerPolicyOptions: maps('cpuManagerPolicyOptions'),
    cpuManagerReconcilePeriodMs: periodOf('cpuManagerReconcilePeriod', texts('cpuManagerReconcilePeriod')),
    reservedSystemCPUs: texts('reservedSystemCPUs'),
    memoryManagerPolicy: texts('memoryManagerPolicy'),
    reservedMemory,
    topologyManagerPolicy: texts('topologyManagerPolicy'),
    topologyManagerScope: texts('topologyManagerScope'),
    topologyManagerPolicyOptions: maps('topologyManagerPolicyOptions'),
  });

function evictionOf({ texts, numbers, flags, maps }: Content): EvictionConfig {
  const graces = maps('evictionSoftGracePeriod');
  const hard = maps('evictionHard');
  return defined({
    evictionHard: hard && { ...(flags('mergeDefaultEvictionSettings') ? defaultHard : {}), ...hard },
    evictionSoft: maps('evictionSoft'),
    evictionSoftGracePeriodMs:
      graces &&
      Object.fromEntries(
        Object.entries(graces).map(([signal, text]) => [signal, durationOf('evictionSoftGracePeriod', text) ?? 0]),
      ),
    evictionMinimumReclaim: maps('evictionMinimumReclaim'),
    evictionPressureTransitionPeriodMs: durationOf(
      'evictionPressureTransitionPeriod',
      texts('evictionPressureTransitionPeriod'),
    ),
    evictionMaxPodGracePeriod: numbers('evictionMaxPodGracePeriod'),
  });
}

function limitsOf({ texts, numbers }: Content) {
  const [maxPods, files, limit] = [numbers('maxPods'), numbers('containerLogMaxFiles'), numbers('podPidsLimit')];
  const size = texts('containerLogMaxSize');
  if (maxPods !== undefined && maxPods < 0)
    throw new Error(`invalid configuration: maxPods (--max-pods) ${maxPods} must not be a negative number`);
  if (files !== undefined && files <= 1)
    throw new Error(
      `invalid configuration: containerLogMaxFiles (--container-log-max-files) ${files} must be greater than 1`,
    );
  return defined({
    ...{ maxPods, containerLogMaxFiles: files },
    podPidsLimit: limit !== undefined && limit > 0 ? limit : undefined,
    containerLogMaxSize: size === undefined ? undefined : amountOf('containerLogMaxSize', size, wholeValue),
  });
}

function imageGarbageOf({ texts, numbers }: Content): Pick<FileConfig, 'imageGarbage'> {
  const given = defined({
    highThresholdPercent: numbers('imageGCHighThresholdPercent'),
    lowThresholdPercent: numbers('imageGCLowThresholdPercent'),
    minimumAgeMs: durationOf('imageMinimumGCAge', texts('imageMinimumGCAge')),
    maximumAgeMs: durationOf('imageMaximumGCAge', texts('imageMaximumGCAge')),
  });
  if (Object.keys(given).length === 0) return {};
  const { highThresholdPercent: high, lowThresholdPercent: low, ...ages } = { ...imageGarbageDefaults, ...given };
  const names = {
    high: 'imageGCHighThresholdPercent (--image-gc-high-threshold)',
    low: 'imageGCLowThresholdPercent (--image-gc-low-threshold)',
  };
  const refuse = (why: string): never => {
    throw new Error(`invalid configuration: ${why}`);
  };
  const isPercent = (value: number) => value >= 0 && value <= 100;
  if (!isPercent(high)) refuse(`${names.high} ${high} must be between 0 and 100, inclusive`);
  if (!isPercent(low)) refuse(`${names.low} ${low} must be between 0 and 100, inclusive`);
  if (low >= high) refuse(`${names.low} ${low} must be less than ${names.high} ${high}`);
  const [least, most] = [ages.minimumAgeMs, ages.maximumAgeMs];
  if (most > 0 && most <= least)
    refuse(`imageMaximumGCAge ${formatDuration(most)} must be greater than imageMinimumGCAge ${formatDuration(least)}`);
  return { imageGarbage: given };
}

function nodeStatusOf({ texts, numbers }: Content): Pick<FileConfig, 'nodeStatus'> {
  const updateMs = periodOf('nodeStatusUpdateFrequency', texts('nodeStatusUpdateFrequency'));
  const given = defined({
    updateMs,
    // A node that updates its status at intervals of its own reports it then, unless the file says more.
    reportMs: durationOf('nodeStatusReportFrequency', texts('nodeStatusReportFrequency')) ?? updateMs,
    leaseSeconds: numbers('nodeLeaseDurationSeconds') || undefined,
    maxImages: numbers('nodeStatusMaxImages'),
  });
  if ((given.leaseSeconds ?? 1) < 0)
    throw new Error('invalid configuration: nodeLeaseDurationSeconds must be greater than 0');
  if ((given.maxImages ?? 0) < -1)
    throw new Error(
      `invalid configuration: nodeStatusMaxImages (--node-status-max-images) ${given.maxImages} must be -1 or greater`,
    );
  return Object.keys(given).length > 0 ? { nodeStatus: given } : {};
}

const leastLogIntervalMs = 3_000;

function podSettingsOf({ texts, numbers, flags, lists }: Content) {
  const podsPerCore = numbers('podsPerCore');
  if (podsPerCore !== undefined && podsPerCore < 0)
    throw new Error(
      `invalid configuration: podsPerCore (--pods-per-core) ${podsPerCore} must not be a negative number`,
    );
  const allowedUnsafeSysctls = lists('allowedUnsafeSysctls');
  checkSysctlPatterns(allowedUnsafeSysctls ?? []);
  const servers = lists('clusterDNS');
  for (const server of servers ?? [])
    if (isIP(server) === 0) throw new Error(`clusterDNS: ${JSON.stringify(server)} is no address`);
  return defined({
    ...{ podsPerCore: podsPerCore || undefined, allowedUnsafeSysctls },
    seccompDefault: flags('seccompDefault'),
    clusterDNS: servers?.length ? servers : undefined,
    clusterDomain: texts('clusterDomain') || undefined,
    containerLogMonitorIntervalMs: periodOf(
      'containerLogMonitorInterval',
      texts('containerLogMonitorInterval'),
      leastLogIntervalMs,
    ),
  });
}

/** CPU and memory: the node has no other resource whose use it could reserve. */
function reservedOf({ maps }: Content): Pick<FileConfig, 'reserved'> {
  const lists = (['systemReserved', 'kubeReserved'] as const).map((name) => ({ name, list: maps(name) }));
  if (lists.every(({ list }) => list === undefined)) return {};
  let [cpuMillis, memoryBytes] = [0, 0];
  for (const { name, list = {} } of lists)
    for (const [resource, amount] of Object.entries(list)) {
      if (resource === 'cpu') cpuMillis += amountOf(`${name}.cpu`, amount, milliValue);
      else if (resource === 'memory') memoryBytes += amountOf(`${name}.memory`, amount, wholeValue);
      else throw new Error(`cannot reserve ${JSON.stringify(resource)} resource (${name})`);
    }
  return { reserved: { cpuMillis, memoryBytes } };
}

function amountOf(name: string, text: string, read: (text: string) => number): number {
  let amount = Number.NaN;
  try {
    amount = read(text);
  } catch {
    // refused below
  }
  if (Number.isFinite(amount) && amount >= 0) return amount;
  throw new Error(`${name}: ${JSON.stringify(text)} is no amount`);
}

/** Undefined for a duration of zero, which stands for the default. */
function durationOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === 0) return undefined;
  if (ms !== undefined && ms > 0) return ms;
  throw new Error(`${name}: ${JSON.stringify(text)} is no duration, such as 10s`);
}

function periodOf(name: string, text: string | undefined, leastMs = leastPeriodMs): number | undefined {
  const ms = durationOf(name, text);
  if (ms === undefined || ms >= leastMs) return ms;
  throw new Error(
    `invalid configuration: ${name} must be a positive time duration greater than or equal to ${formatDuration(leastMs)}`,
  );
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  const result: Defined<T> = {};
  for (const name of keysOf(fields)) {
    const value = fields[name];
    if (isDefined(value)) result[name] = value;
  }
  return result;
}

const isDefined = <T>(value: T): value is Exclude<T, undefined> => value !== undefined;
const keysOf = <T extends object>(fields: T): (keyof T)[] =>
  Object.keys(fields).filter((name): name is keyof T & string => name in fields);
