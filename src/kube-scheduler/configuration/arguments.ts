// The arguments of plugins: their fields, defaults and faults.
// https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/

import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  invalidValues,
  type NodeAffinity,
  notSupported,
  required,
  type TopologySpreadConstraint,
  validateAffinity,
} from '../../api/api.ts';
import type { Shape } from '../../machinery/fields/configuration-shape.ts';
import { qualifiedNameFaults } from '../../machinery/text/names.ts';
import { parseDuration } from '../../machinery/time/duration.ts';

export interface ResourceWeight {
  readonly name: string;
  readonly weight: number;
}

export interface ShapePoint {
  readonly utilization: number;
  readonly score: number;
}

export interface PluginArguments {
  readonly DefaultPreemption: {
    readonly minCandidateNodesPercentage: number;
    readonly minCandidateNodesAbsolute: number;
  };
  readonly InterPodAffinity: {
    readonly hardPodAffinityWeight: number;
    readonly ignorePreferredTermsOfExistingPods: boolean;
  };
  readonly NodeAffinity: { readonly addedAffinity?: NodeAffinity };
  readonly NodeResourcesBalancedAllocation: { readonly resources: readonly ResourceWeight[] };
  readonly NodeResourcesFit: {
    readonly ignoredResources: readonly string[];
    readonly ignoredResourceGroups: readonly string[];
    readonly scoringStrategy: {
      readonly type: string;
      readonly resources: readonly ResourceWeight[];
      readonly shape: readonly ShapePoint[];
    };
  };
  readonly PodTopologySpread: {
    /** Undefined: Kubernetes' own. */
    readonly defaultConstraints?: readonly TopologySpreadConstraint[];
  };
  readonly VolumeBinding: { readonly bindTimeoutSeconds: number };
  readonly DynamicResources: { readonly bindingTimeoutMs: number };
}

const resources: readonly [Shape] = [{ name: 'string', weight: 'integer' }];
const points: readonly [Shape] = [{ utilization: 'integer', score: 'integer' }];

export const argumentShapes: Readonly<Record<string, Shape>> = {
  DefaultPreemption: { minCandidateNodesPercentage: 'integer', minCandidateNodesAbsolute: 'integer' },
  InterPodAffinity: { hardPodAffinityWeight: 'integer', ignorePreferredTermsOfExistingPods: 'boolean' },
  NodeAffinity: {
    addedAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [termShape()] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 'integer', preference: termShape() }],
    },
  },
  NodeResourcesBalancedAllocation: { resources },
  NodeResourcesFit: {
    ignoredResources: 'list of strings',
    ignoredResourceGroups: 'list of strings',
    scoringStrategy: { type: 'string', resources, requestedToCapacityRatio: { shape: points } },
  },
  PodTopologySpread: {
    defaultingType: 'string',
    defaultConstraints: [
      {
        maxSkew: 'integer',
        topologyKey: 'string',
        whenUnsatisfiable: 'string',
        labelSelector: 'any',
        minDomains: 'integer',
        nodeAffinityPolicy: 'string',
        nodeTaintsPolicy: 'string',
        matchLabelKeys: 'list of strings',
      },
    ],
  },
  VolumeBinding: { bindTimeoutSeconds: 'integer', shape: points },
  DynamicResources: { filterTimeout: 'string', bindingTimeout: 'string' },
};

function termShape(): Shape {
  const requirements: readonly [Shape] = [{ key: 'string', operator: 'string', values: 'list of strings' }];
  return { matchExpressions: requirements, matchFields: requirements };
}

/** Arguments as they are given: their shape has been checked. */
interface Given {
  readonly DefaultPreemption: { minCandidateNodesPercentage?: number; minCandidateNodesAbsolute?: number };
  readonly InterPodAffinity: { hardPodAffinityWeight?: number; ignorePreferredTermsOfExistingPods?: boolean };
  readonly NodeAffinity: { addedAffinity?: NodeAffinity };
  readonly NodeResourcesBalancedAllocation: { resources?: GivenResource[] };
  readonly NodeResourcesFit: {
    ignoredResources?: string[];
    ignoredResourceGroups?: string[];
    scoringStrategy?: {
      type?: string;
      resources?: GivenResource[];
      requestedToCapacityRatio?: { shape?: Partial<ShapePoint>[] };
    };
  };
  readonly PodTopologySpread: { defaultingType?: string; defaultConstraints?: TopologySpreadConstraint[] };
  readonly VolumeBinding: { bindTimeoutSeconds?: number; shape?: unknown };
  readonly DynamicResources: { filterTimeout?: string; bindingTimeout?: string };
}

interface GivenResource {
  readonly name?: string;
  readonly weight?: number;
}

const isPluginWithArguments = (name: string): name is keyof Given => Object.hasOwn(argumentShapes, name);

type Check<Args> = (args: Args, path: string) => FieldError[];

export function argumentFaults(name: string, args: unknown, path: string): FieldError[] {
  if (!isPluginWithArguments(name)) return [];
  return (checks[name] as Check<unknown>)(args ?? {}, path);
}

/** Defaults are filled in. The arguments must be valid. */
export function readArguments(given: ReadonlyMap<string, unknown>): PluginArguments {
  const of = <Name extends keyof Given>(name: Name) => (given.get(name) ?? {}) as Given[Name];
  const { scoringStrategy, ignoredResources = [], ignoredResourceGroups = [] } = of('NodeResourcesFit');
  const { addedAffinity } = of('NodeAffinity');
  const { defaultingType, defaultConstraints = [] } = of('PodTopologySpread');
  const bindingTimeoutMs = parseDuration(of('DynamicResources').bindingTimeout ?? '600s') ?? 0;
  return {
    DefaultPreemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100, ...of('DefaultPreemption') },
    InterPodAffinity: {
      hardPodAffinityWeight: 1,
      ignorePreferredTermsOfExistingPods: false,
      ...of('InterPodAffinity'),
    },
    NodeAffinity: addedAffinity ? { addedAffinity } : {},
    NodeResourcesBalancedAllocation: { resources: weighted(of('NodeResourcesBalancedAllocation').resources) },
    NodeResourcesFit: {
      ignoredResources,
      ignoredResourceGroups,
      scoringStrategy: {
        type: scoringStrategy?.type ?? 'LeastAllocated',
        resources: weighted(scoringStrategy?.resources),
        shape: (scoringStrategy?.requestedToCapacityRatio?.shape ?? []).map(pointOf),
      },
    },
    PodTopologySpread: defaultingType === 'List' ? { defaultConstraints } : {},
    VolumeBinding: { bindTimeoutSeconds: 600, ...of('VolumeBinding') },
    DynamicResources: { bindingTimeoutMs },
  };
}

const defaultResources = [{ name: 'cpu' }, { name: 'memory' }];
const weighted = (given: readonly GivenResource[] | undefined): ResourceWeight[] =>
  (given?.length ? given : defaultResources).map(({ name = '', weight }: GivenResource) => ({
    name,
    weight: weight || 1,
  }));
const pointOf = ({ utilization = 0, score = 0 }: Partial<ShapePoint>): ShapePoint => ({ utilization, score });

export const defaultArguments = readArguments(new Map());

const outside = (value: number, least: number, most: number): boolean => value < least || value > most;

const checks: { readonly [Name in keyof Given]: Check<Given[Name]> } = {
  DefaultPreemption({ minCandidateNodesPercentage: percentage = 10, minCandidateNodesAbsolute: least = 100 }, path) {
    const [at, leastAt] = [`${path}.minCandidateNodesPercentage`, `${path}.minCandidateNodesAbsolute`];
    const noneAt = (other: string) => `cannot be zero at the same time as ${other}`;
    return [
      ...(outside(percentage, 0, 100) ? [invalidValue(at, percentage, 'not in valid range [0, 100]')] : []),
      ...(least < 0 ? [invalidValue(leastAt, least, 'not in valid range [0, inf)')] : []),
      ...(percentage === 0 && least === 0
        ? [
            invalidValue(at, percentage, noneAt('minCandidateNodesAbsolute')),
            invalidValue(leastAt, least, noneAt('minCandidateNodesPercentage')),
          ]
        : []),
    ];
  },
  InterPodAffinity: ({ hardPodAffinityWeight: weight = 1 }, path) =>
    outside(weight, 0, 100)
      ? [invalidValue(`${path}.hardPodAffinityWeight`, weight, 'not in valid range [0, 100]')]
      : [],
  NodeAffinity: ({ addedAffinity }, path) =>
    validateAffinity(addedAffinity && { nodeAffinity: addedAffinity }, '').map((error) => ({
      ...error,
      field: error.field.replace('.nodeAffinity', `${path}.addedAffinity`),
    })),
  NodeResourcesBalancedAllocation({ resources: given = [] }, path) {
    const seen = new Set<string>();
    return given.flatMap(({ name = '', weight }, index) => {
      const at = `${path}.resources[${index}]`;
      const repeated = seen.has(name) ? [duplicate(`${at}.name`, name)] : [];
      seen.add(name);
      return [...repeated, ...((weight || 1) === 1 ? [] : [invalidValue(`${at}.weight`, weight, 'must be 1')])];
    });
  },
  NodeResourcesFit: ({ ignoredResources = [], ignoredResourceGroups = [], scoringStrategy }, path) => [
    ...ignoredResources.flatMap((name, i) =>
      invalidValues(`${path}.ignoredResources[${i}]`, name, qualifiedNameFaults(name)),
    ),
    ...ignoredResourceGroups.flatMap((name, i) => {
      const at = `${path}.ignoredResourceGroups[${i}]`;
      return [
        ...(name.includes('/') ? [invalidValue(at, name, "resource group name can't contain '/'")] : []),
        ...invalidValues(at, name, qualifiedNameFaults(name)),
      ];
    }),
    ...strategyFaults(scoringStrategy, `${path}.scoringStrategy`),
  ],
  PodTopologySpread({ defaultingType: type = 'System', defaultConstraints = [] }, path) {
    const at = `${path}.defaultingType`;
    const faults: FieldError[] = [];
    if (type !== 'System' && type !== 'List') faults.push(notSupported(at, type, ['System', 'List']));
    else if (type === 'System' && defaultConstraints.length > 0)
      faults.push(invalidValue(at, type, 'when .defaultConstraints are not empty'));
    return [...faults, ...constraintFaults(defaultConstraints, `${path}.defaultConstraints`)];
  },
  VolumeBinding: ({ bindTimeoutSeconds: seconds = 600, shape }, path) => [
    ...(seconds < 0
      ? [
          invalidValue(
            `${path}.bindTimeoutSeconds`,
            seconds,
            'invalid BindTimeoutSeconds, should not be a negative value',
          ),
        ]
      : []),
    ...(shape !== undefined
      ? [
          invalidValue(
            `${path}.shape`,
            shape,
            'unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring',
          ),
        ]
      : []),
  ],
  DynamicResources: ({ filterTimeout, bindingTimeout }, path) => [
    ...durationFaults(filterTimeout, `${path}.filterTimeout`, 0, 'must be zero or positive'),
    ...durationFaults(bindingTimeout, `${path}.bindingTimeout`, 1_000, 'must be at least 1 second'),
  ],
};

function durationFaults(text: string | undefined, path: string, leastMs: number, why: string): FieldError[] {
  if (text === undefined) return [];
  const ms = parseDuration(text);
  if (ms === undefined) return [invalidValue(path, text, 'must be a duration, such as 10s')];
  return ms < leastMs ? [invalidValue(path, text, why)] : [];
}

const strategies = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'];

function strategyFaults(strategy: Given['NodeResourcesFit']['scoringStrategy'], path: string): FieldError[] {
  if (!strategy) return [];
  const { type = '', resources: given = [], requestedToCapacityRatio: ratio } = strategy;
  const at = `${path}.requestedToCapacityRatio`;
  const isRatio = type === 'RequestedToCapacityRatio';
  return [
    ...(strategies.includes(type) ? [] : [notSupported(`${path}.type`, type, strategies)]),
    ...given.flatMap(({ name, weight }, i) =>
      outside(weight || 1, 1, 100)
        ? [
            invalidValue(
              `${path}.resources[${i}].weight`,
              weight,
              `resource weight of ${name} not in valid range (0, 100]`,
            ),
          ]
        : [],
    ),
    ...(isRatio && !ratio ? [required(at, 'must be specified when type is RequestedToCapacityRatio')] : []),
    ...(isRatio && ratio ? shapePointFaults(ratio.shape ?? [], `${at}.shape`) : []),
    ...(!isRatio && ratio ? [forbiddenField(at, 'must be nil when type is not RequestedToCapacityRatio')] : []),
  ];
}

function shapePointFaults(given: readonly Partial<ShapePoint>[], path: string): FieldError[] {
  if (given.length === 0) return [required(path, 'at least one point must be specified')];
  const shape = given.map(pointOf);
  const unsorted = shape.findIndex(({ utilization }, i) => i > 0 && (shape[i - 1]?.utilization ?? 0) >= utilization);
  return [
    ...(unsorted > 0
      ? [
          invalidValue(
            `${path}[${unsorted}].utilization`,
            shape[unsorted]?.utilization,
            'values must be sorted in increasing order',
          ),
        ]
      : []),
    ...shape.flatMap(({ utilization, score }, i) => [
      ...(outside(utilization, 0, 100)
        ? [invalidValue(`${path}[${i}].utilization`, utilization, 'not in valid range [0, 100]')]
        : []),
      ...(outside(score, 0, 10) ? [invalidValue(`${path}[${i}].score`, score, 'not in valid range [0, 10]')] : []),
    ]),
  ];
}

const actions = ['DoNotSchedule', 'ScheduleAnyway'];

function constraintFaults(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const seen = new Set<string>();
  return constraints.flatMap(({ maxSkew = 0, topologyKey: key = '', whenUnsatisfiable: action, labelSelector }, i) => {
    const at = `${path}[${i}]`;
    const faults: FieldError[] = [];
    if (maxSkew <= 0) faults.push(invalidValue(`${at}.maxSkew`, maxSkew, 'not in valid range (0, inf)'));
    if (!key) faults.push(required(`${at}.topologyKey`, 'can not be empty'));
    else faults.push(...invalidValues(`${at}.topologyKey`, key, qualifiedNameFaults(key)));
    if (!action) faults.push(required(`${at}.whenUnsatisfiable`, 'can not be empty'));
    else if (!actions.includes(action)) faults.push(notSupported(`${at}.whenUnsatisfiable`, action, actions));
    if (labelSelector)
      faults.push(
        forbiddenField(`${at}.labelSelector`, 'constraint must not define a selector, as they deduced for each pod'),
      );
    const id = `{${key}, ${action ?? ''}}`;
    if (seen.has(id)) faults.push(duplicate(at, id));
    seen.add(id);
    return faults;
  });
}
