import { describe, expect, test } from 'vitest';
import { parseSchedulerConfiguration } from './configuration.ts';

const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';
const parse = (fields: object = {}) => parseSchedulerConfiguration(`${head}${fieldsOf(fields)}`);
const fieldsOf = (fields: object) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');
const profile = (...pluginConfig: object[]) => ({ profiles: [{ schedulerName: 's', pluginConfig }] });
const withArgs = (name: string, args: object) => profile({ name, args });
const at = 'profiles[0].pluginConfig[0].args';

/** The faults without the values in them, one per fault. */
const faultOf = (fields: object): string => {
  try {
    parse(fields);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
};

test('an empty configuration has the defaults', () => {
  const { profiles, ...rest } = parse();
  expect(rest).toEqual({ podInitialBackoffSeconds: 1, podMaxBackoffSeconds: 10, extenders: [], unused: [] });
  expect(profiles).toMatchObject([
    {
      schedulerName: 'default-scheduler',
      percentageOfNodesToScore: 0,
      arguments: {
        DefaultPreemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
        InterPodAffinity: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false },
        NodeAffinity: {},
        NodeResourcesFit: {
          ignoredResources: [],
          scoringStrategy: {
            type: 'LeastAllocated',
            resources: [
              { name: 'cpu', weight: 1 },
              { name: 'memory', weight: 1 },
            ],
          },
        },
        PodTopologySpread: {},
        VolumeBinding: { bindTimeoutSeconds: 600 },
        DynamicResources: { bindingTimeoutMs: 600_000 },
      },
    },
  ]);
});

test('fields of all kinds are read', () => {
  const settings = parse({
    podInitialBackoffSeconds: 2,
    podMaxBackoffSeconds: 20,
    percentageOfNodesToScore: 30,
    parallelism: 4,
    profiles: [
      { schedulerName: 'a', percentageOfNodesToScore: 70 },
      {
        schedulerName: 'b',
        pluginConfig: [
          { name: 'VolumeBinding', args: { bindTimeoutSeconds: 0 } },
          { name: 'InterPodAffinity', args: { hardPodAffinityWeight: 0 } },
          {
            name: 'NodeResourcesFit',
            args: {
              kind: 'NodeResourcesFitArgs',
              scoringStrategy: { type: 'MostAllocated', resources: [{ name: 'nvidia.com/gpu' }] },
            },
          },
          { name: 'DynamicResources', args: { bindingTimeout: '2s', filterTimeout: '5s' } },
        ],
      },
    ],
  });
  expect(settings).toMatchObject({
    podInitialBackoffSeconds: 2,
    podMaxBackoffSeconds: 20,
    unused: ['parallelism', 'filterTimeout'],
    profiles: [
      { schedulerName: 'a', percentageOfNodesToScore: 70 },
      {
        schedulerName: 'b',
        percentageOfNodesToScore: 30,
        arguments: {
          VolumeBinding: { bindTimeoutSeconds: 0 },
          InterPodAffinity: { hardPodAffinityWeight: 0 },
          NodeResourcesFit: {
            scoringStrategy: { type: 'MostAllocated', resources: [{ name: 'nvidia.com/gpu', weight: 1 }] },
          },
          DynamicResources: { bindingTimeoutMs: 2_000 },
        },
      },
    ],
  });
});

describe('a text that is no configuration', () => {
  test.each([
    ['', 'it is empty, or no object'],
    ['- a', 'it is empty, or no object'],
    ['a: [', 'it is no YAML: '],
    ['kind: Pod\napiVersion: v1', 'no kind "Pod" is registered for version "v1": '],
    ['kind: KubeSchedulerConfiguration\napiVersion: kubescheduler.config.k8s.io/v1beta3', 'no kind '],
    [`${head}other: 1`, 'strict decoding error: unknown field "other"'],
    [`${head}profiles: [{plugins: {score: {enabled: [{nam: x}]}}}]`, 'strict decoding error: unknown field '],
    [`${head}profiles: {}`, 'strict decoding error: '],
    [
      `${head}profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAfinity: {}}}]}]`,
      'decoding .profiles[0].pluginConfig[0]: decoding args for plugin NodeAffinity: strict decoding error: unknown field "addedAfinity"',
    ],
    [
      `${head}profiles: [{pluginConfig: [{name: NodeAffinity, args: {kind: VolumeBindingArgs}}]}]`,
      'decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type NodeAffinityArgs.kubescheduler.config.k8s.io, got VolumeBindingArgs',
    ],
  ])('%j', (text, message) => expect(() => parseSchedulerConfiguration(text)).toThrow(message));
});

test.each([
  [{ parallelism: 0 }, 'parallelism: Invalid value: 0: should be an integer value greater than zero'],
  [{ percentageOfNodesToScore: 101 }, 'percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]'],
  [{ podInitialBackoffSeconds: 0 }, 'podInitialBackoffSeconds: Invalid value: 0: must be greater than 0'],
  [
    { podInitialBackoffSeconds: 5, podMaxBackoffSeconds: 1 },
    'podMaxBackoffSeconds: Invalid value: 1: must be greater than or equal to PodInitialBackoffSeconds',
  ],
  [
    { leaderElection: { resourceLock: 'configmaps' } },
    'leaderElection.resourceLock: Invalid value: "configmaps": resourceLock value must be "leases"',
  ],
  [
    { profiles: [{ schedulerName: 'a', percentageOfNodesToScore: -1 }] },
    'profiles[0].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]',
  ],
  [{ profiles: [{}, { schedulerName: 'a' }] }, 'profiles[0].schedulerName: Required value'],
  [
    { profiles: [{ schedulerName: 'a' }, { schedulerName: 'a' }] },
    'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
  ],
  [profile({ name: 'NodeName' }, { name: 'NodeName' }), 'profiles[0].pluginConfig[1]: Duplicate value: "NodeName"'],
  [profile({ name: 'EBSLimits' }), 'profiles[0].pluginConfig[0]: Invalid value: "EBSLimits": was invalid in version'],
  [
    {
      extenders: [
        { urlPrefix: 'http://x', bindVerb: 'b' },
        { urlPrefix: 'http://y', bindVerb: 'b' },
      ],
    },
    'extenders: Invalid value: "found 2 extenders implementing bind": only one extender can implement bind',
  ],
  [
    { extenders: [{ urlPrefix: 'http://x', prioritizeVerb: 'p' }] },
    'extenders[0].weight: Invalid value: 0: must have a positive weight applied to it',
  ],
  [
    { extenders: [{ urlPrefix: 'http://x', managedResources: [{ name: 'cpu' }] }] },
    'extenders[0].managedResources[0].name: Invalid value: "cpu": is an invalid extended resource name',
  ],
  [
    { extenders: [{ urlPrefix: 'http://x', managedResources: [{ name: 'a.b/c' }, { name: 'a.b/c' }] }] },
    'extenders[0].managedResources[1].name: Invalid value: "a.b/c": duplicate extender managed resource name',
  ],
  [{ extenders: [{ urlPrefix: 'ftp://x' }] }, 'extenders[0].urlPrefix: Invalid value: "ftp://x": must be a URL'],
])('%j is refused', (fields, message) => expect(faultOf(fields)).toContain(message));

describe('arguments', () => {
  const strategy = (scoringStrategy: object) => ({ scoringStrategy });
  const ratio = (...shape: object[]) =>
    strategy({ type: 'RequestedToCapacityRatio', requestedToCapacityRatio: { shape } });
  const spread = (constraint: object, defaultingType = 'List') => ({
    defaultingType,
    defaultConstraints: [{ maxSkew: 1, topologyKey: 'node', whenUnsatisfiable: 'DoNotSchedule', ...constraint }],
  });
  test.each<readonly [plugin: string, args: object, fault: string]>([
    ['DefaultPreemption', { minCandidateNodesPercentage: 100, minCandidateNodesAbsolute: 0 }, 'none'],
    [
      'DefaultPreemption',
      { minCandidateNodesPercentage: -1 },
      '.minCandidateNodesPercentage: Invalid value: -1: not in valid range [0, 100]',
    ],
    [
      'DefaultPreemption',
      { minCandidateNodesAbsolute: -1 },
      '.minCandidateNodesAbsolute: Invalid value: -1: not in valid range [0, inf)',
    ],
    [
      'DefaultPreemption',
      { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 },
      '.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute',
    ],
    ['InterPodAffinity', { hardPodAffinityWeight: 100 }, 'none'],
    [
      'InterPodAffinity',
      { hardPodAffinityWeight: 101 },
      '.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]',
    ],
    ['PodTopologySpread', spread({}), 'none'],
    [
      'PodTopologySpread',
      spread({ maxSkew: 0 }),
      '.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf)',
    ],
    [
      'PodTopologySpread',
      spread({ topologyKey: '' }),
      '.defaultConstraints[0].topologyKey: Required value: can not be empty',
    ],
    [
      'PodTopologySpread',
      spread({ whenUnsatisfiable: '' }),
      '.defaultConstraints[0].whenUnsatisfiable: Required value: can not be empty',
    ],
    [
      'PodTopologySpread',
      spread({ whenUnsatisfiable: 'unknown' }),
      '.defaultConstraints[0].whenUnsatisfiable: Unsupported value: "unknown": supported values: "DoNotSchedule", "ScheduleAnyway"',
    ],
    [
      'PodTopologySpread',
      spread({ labelSelector: {} }),
      '.defaultConstraints[0].labelSelector: Forbidden: constraint must not define a selector, as they deduced for each pod',
    ],
    [
      'PodTopologySpread',
      spread({}, 'System'),
      '.defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
    ],
    [
      'PodTopologySpread',
      { defaultingType: 'x' },
      '.defaultingType: Unsupported value: "x": supported values: "System", "List"',
    ],
    ['NodeResourcesBalancedAllocation', { resources: [{ name: 'cpu', weight: 1 }] }, 'none'],
    [
      'NodeResourcesBalancedAllocation',
      { resources: [{ name: 'cpu', weight: 2 }] },
      '.resources[0].weight: Invalid value: 2: must be 1',
    ],
    [
      'NodeResourcesBalancedAllocation',
      {
        resources: [
          { name: 'cpu', weight: 1 },
          { name: 'cpu', weight: 1 },
        ],
      },
      '.resources[1].name: Duplicate value: "cpu"',
    ],
    [
      'NodeAffinity',
      {
        addedAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
          },
        },
      },
      'none',
    ],
    [
      'NodeAffinity',
      {
        addedAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'No' }] }],
          },
        },
      },
      '.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: ',
    ],
    [
      'VolumeBinding',
      { bindTimeoutSeconds: -10 },
      '.bindTimeoutSeconds: Invalid value: -10: invalid BindTimeoutSeconds, should not be a negative value',
    ],
    ['VolumeBinding', { shape: [{ utilization: 0, score: 0 }] }, '.shape: Invalid value: '],
    ['NodeResourcesFit', { ignoredResources: ['cpu'], ignoredResourceGroups: ['example.com'] }, 'none'],
    [
      'NodeResourcesFit',
      { ignoredResources: ['not a resource'] },
      '.ignoredResources[0]: Invalid value: "not a resource": ',
    ],
    [
      'NodeResourcesFit',
      { ignoredResourceGroups: ['foo/bar'] },
      ".ignoredResourceGroups[0]: Invalid value: \"foo/bar\": resource group name can't contain '/'",
    ],
    ['NodeResourcesFit', strategy({ type: 'x' }), '.scoringStrategy.type: Unsupported value: "x": supported values: '],
    [
      'NodeResourcesFit',
      strategy({ type: 'LeastAllocated', resources: [{ name: 'cpu', weight: 101 }] }),
      '.scoringStrategy.resources[0].weight: Invalid value: 101: resource weight of cpu not in valid range (0, 100]',
    ],
    ['NodeResourcesFit', ratio({ utilization: 0, score: 0 }, { utilization: 100, score: 10 }), 'none'],
    [
      'NodeResourcesFit',
      ratio(),
      '.scoringStrategy.requestedToCapacityRatio.shape: Required value: at least one point must be specified',
    ],
    [
      'NodeResourcesFit',
      ratio({ utilization: 10, score: 0 }, { utilization: 10, score: 10 }),
      '.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 10: values must be sorted in increasing order',
    ],
    [
      'NodeResourcesFit',
      ratio({ utilization: 101, score: 0 }),
      '.shape[0].utilization: Invalid value: 101: not in valid range [0, 100]',
    ],
    [
      'NodeResourcesFit',
      ratio({ utilization: 1, score: 11 }),
      '.shape[0].score: Invalid value: 11: not in valid range [0, 10]',
    ],
    [
      'DynamicResources',
      { bindingTimeout: '500ms' },
      '.bindingTimeout: Invalid value: "500ms": must be at least 1 second',
    ],
    ['DynamicResources', { filterTimeout: '-1s' }, '.filterTimeout: Invalid value: "-1s": must be zero or positive'],
  ])('%s %j: %s', (plugin, args, fault) => {
    const found = faultOf(withArgs(plugin, args));
    if (fault === 'none') expect(found).toBe('none');
    else expect(found).toContain(fault.startsWith('.shape[') ? fault : `${at}${fault}`);
  });
});
