// Reads a file of KubeletConfiguration. Fields that have no effect here are refused by name.
// https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/

import { parse } from 'yaml';
import { type Shape, shapeFaults, withoutNulls } from '../machinery/fields/configuration-shape.ts';
import { type Fields, isFields } from '../machinery/parsed.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';
import { parseDuration } from '../machinery/time/duration.ts';
import type { KubeletConfig } from './config.ts';
import { type EvictionConfig, thresholdsOf } from './eviction/thresholds.ts';
import type { MemoryReservation } from './resource-managers/memory-reservation.ts';
import { type ResourceManagersInput, resourceManagersConfig } from './resource-managers/settings.ts';

/** The part of the configuration that the file sets. */
export type FileConfig = Partial<
  Pick<
    KubeletConfig,
    'resourceManagers' | 'eviction' | 'maxPods' | 'podPidsLimit' | 'containerLogMaxSize' | 'containerLogMaxFiles'
  >
> & {
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
  evictionMaxPodGracePeriod: 'integer',
} as const satisfies Shape;

/** The fields with the types that `shapeFaults` has checked. */
interface Content {
  readonly texts: (name: keyof typeof shape) => string | undefined;
  readonly numbers: (name: keyof typeof shape) => number | undefined;
  readonly maps: (name: keyof typeof shape) => Readonly<Record<string, string>> | undefined;
  readonly reservedMemory: readonly MemoryReservation[] | undefined;
}

/** Throws an Error with the first fault. */
export function parseKubeletConfiguration(text: string): FileConfig {
  const content = withoutNulls(parse(text, { maxAliasCount: 100 }));
  if (!isFields(content)) throw new Error('the content is not an object');
  if (content['apiVersion'] !== apiVersion || content['kind'] !== kind)
    throw new Error(`apiVersion and kind must be ${apiVersion} and ${kind}`);
  for (const name of Object.keys(content))
    if (!Object.hasOwn(shape, name)) throw new Error(`field ${JSON.stringify(name)} is not supported`);
  for (const fault of shapeFaults(content, shape)) throw new Error(fault);
  const typed = typedContent(content);
  const eviction = evictionOf(typed);
  thresholdsOf(eviction);
  const resourceManagers = managersOf(typed);
  resourceManagersConfig(resourceManagers);
  return {
    ...(Object.keys(resourceManagers).length > 0 && { resourceManagers }),
    ...(Object.keys(eviction).length > 0 && { eviction }),
    ...limitsOf(typed),
    ...reservedOf(typed),
  };
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
    cpuManagerReconcilePeriodMs: durationOf('cpuManagerReconcilePeriod', texts('cpuManagerReconcilePeriod')),
    reservedSystemCPUs: texts('reservedSystemCPUs'),
    memoryManagerPolicy: texts('memoryManagerPolicy'),
    reservedMemory,
    topologyManagerPolicy: texts('topologyManagerPolicy'),
    topologyManagerScope: texts('topologyManagerScope'),
    topologyManagerPolicyOptions: maps('topologyManagerPolicyOptions'),
  });

function evictionOf({ texts, numbers, maps }: Content): EvictionConfig {
  const graces = maps('evictionSoftGracePeriod');
  return defined({
    evictionHard: maps('evictionHard'),
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

function durationOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new Error(`${name}: ${JSON.stringify(text)} is no duration, such as 10s`);
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
