// Which plugins a profile runs at each extension point: its own sets, merged with the default ones.
// https://kubernetes.io/docs/reference/scheduling/config/#multipoint

import { SchedulerConfigurationError } from './error.ts';
import { type ExtensionPoint, extensionPoints, interfaceOf, pluginPoints, pointsOf } from './plugin-points.ts';

interface PluginEntry {
  readonly name: string;
  readonly weight?: number | undefined;
}

interface PluginSet {
  readonly enabled?: readonly PluginEntry[];
  readonly disabled?: readonly PluginEntry[];
}

export type PluginSets = Readonly<Partial<Record<ExtensionPoint | 'multiPoint', PluginSet>>>;

export interface ProfilePlugins {
  /** Names in the order of calls. */
  readonly at: Readonly<Record<ExtensionPoint, readonly string[]>>;
  weightOf(name: string): number;
}

interface MergedSet {
  readonly enabled: readonly PluginEntry[];
  readonly disabled: ReadonlySet<string>;
}

/** A default plugin that is configured keeps its place; other plugins come after the default ones. */
function merge(defaults: readonly PluginEntry[], { enabled = [], disabled = [] }: PluginSet = {}): MergedSet {
  const off = new Set(disabled.map(({ name }) => name));
  const own = new Map(enabled.map((entry) => [entry.name, entry]));
  const kept = off.has('*') ? [] : defaults.filter(({ name }) => !off.has(name));
  const replaced = new Set<PluginEntry>();
  const merged = kept.map((entry) => {
    const replacement = own.get(entry.name);
    if (replacement) replaced.add(replacement);
    return replacement ?? entry;
  });
  return { enabled: [...merged, ...enabled.filter((entry) => !replaced.has(entry))], disabled: off };
}

/** Throws SchedulerConfigurationError. */
export function pluginsOfProfile(sets: PluginSets, schedulerName: string): ProfilePlugins {
  const multiPoint = merge(pluginPoints, sets.multiPoint);
  const fail = (why: string): never => {
    throw new SchedulerConfigurationError(
      `initializing profiles: creating profile for scheduler name ${schedulerName}: ${why}`,
    );
  };
  const own = new Map(extensionPoints.map((point) => [point, merge([], sets[point])]));
  for (const [point, { enabled }] of own) checkPoint(point, enabled, fail);
  const at = Object.fromEntries(
    [...own].map(([point, set]) => [point, namesAt(point, set, multiPoint.enabled, fail)]),
  ) as ProfilePlugins['at'];
  if (at.queueSort.length !== 1)
    fail(
      `only one queue sort plugin required for profile with scheduler name "${schedulerName}", but got ${at.queueSort.length}`,
    );
  if (at.bind.length === 0)
    fail(`at least one bind plugin is needed for profile with scheduler name "${schedulerName}"`);
  refuseParts(at, fail);
  const weights = new Map<string, number>();
  for (const { name, weight } of [...(own.get('score')?.enabled ?? []), ...multiPoint.enabled])
    if (!weights.has(name)) weights.set(name, weight || 1);
  return { at, weightOf: (name) => weights.get(name) ?? 1 };
}

type Fail = (why: string) => never;

function checkPoint(point: ExtensionPoint, enabled: readonly PluginEntry[], fail: Fail): void {
  const seen = new Set<string>();
  for (const { name } of enabled) {
    const points = pointsOf(name);
    if (!points) fail(`${interfaceOf(point)} "${name}" does not exist`);
    if (!points?.includes(point)) fail(`plugin "${name}" does not extend ${interfaceOf(point)} plugin`);
    if (seen.has(name)) fail(`plugin "${name}" already registered as "${interfaceOf(point)}"`);
    seen.add(name);
  }
}

/** First those of both sets, in the order of the point's own set, then those of multiPoint, then the others. */
function namesAt(
  point: ExtensionPoint,
  { enabled, disabled }: MergedSet,
  multiPoint: readonly PluginEntry[],
  fail: Fail,
): readonly string[] {
  const own = enabled.map(({ name }) => name);
  if (disabled.has('*')) return own;
  const expanded = new Set<string>();
  const overridden = new Set<string>();
  for (const { name } of multiPoint) {
    const points = pointsOf(name);
    if (!points) fail(`${interfaceOf(point)} "${name}" does not exist`);
    if (!points?.includes(point) || disabled.has(name)) continue;
    if (own.includes(name)) overridden.add(name);
    else if (expanded.has(name)) fail(`plugin "${name}" already registered as "${interfaceOf(point)}"`);
    else expanded.add(name);
  }
  return [...own.filter((name) => overridden.has(name)), ...expanded, ...own.filter((name) => !overridden.has(name))];
}

/** Points of one plugin that only work together. */
const together: readonly (readonly [point: ExtensionPoint, needs: ExtensionPoint])[] = [
  ['filter', 'preFilter'],
  ['reserve', 'filter'],
  ['filter', 'reserve'],
  ['preBind', 'reserve'],
  ['reserve', 'preBind'],
  ['score', 'preScore'],
];

function refuseParts(at: ProfilePlugins['at'], fail: Fail): void {
  for (const [point, needed] of together)
    for (const name of at[point])
      if (pointsOf(name)?.includes(needed) && !at[needed].includes(name))
        fail(`plugin "${name}" is enabled as ${interfaceOf(point)}, and not as ${interfaceOf(needed)}, which it needs`);
}
