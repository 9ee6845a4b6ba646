// The plugins of Kubernetes 1.36 with their extension points, in the order of calls.
// https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins

/** By their names in the configuration, in the order in which Kubernetes checks them. */
export const extensionPoints = [
  'preFilter',
  'filter',
  'postFilter',
  'reserve',
  'preScore',
  'score',
  'preBind',
  'bind',
  'postBind',
  'permit',
  'preEnqueue',
  'queueSort',
  'placementGenerate',
  'placementScore',
] as const;
export type ExtensionPoint = (typeof extensionPoints)[number];

/** Go's name of the interface, for messages. */
export const interfaceOf = (point: ExtensionPoint): string => `${point[0]?.toUpperCase()}${point.slice(1)}Plugin`;

const filters: readonly ExtensionPoint[] = ['preFilter', 'filter'];
const scores: readonly ExtensionPoint[] = ['preScore', 'score'];

interface PluginPoints {
  readonly name: string;
  readonly points: readonly ExtensionPoint[];
  readonly weight?: number;
}

export const pluginPoints: readonly PluginPoints[] = [
  { name: 'SchedulingGates', points: ['preEnqueue'] },
  { name: 'PrioritySort', points: ['queueSort'] },
  { name: 'NodeUnschedulable', points: ['filter'] },
  { name: 'NodeName', points: ['filter'] },
  { name: 'TaintToleration', points: ['filter', ...scores], weight: 3 },
  { name: 'NodeAffinity', points: [...filters, ...scores], weight: 2 },
  { name: 'NodePorts', points: filters },
  { name: 'NodeResourcesFit', points: [...filters, ...scores], weight: 1 },
  { name: 'VolumeRestrictions', points: filters },
  { name: 'NodeVolumeLimits', points: filters },
  { name: 'VolumeBinding', points: [...filters, 'reserve', 'preBind', ...scores] },
  { name: 'VolumeZone', points: filters },
  { name: 'PodTopologySpread', points: [...filters, ...scores], weight: 2 },
  { name: 'InterPodAffinity', points: [...filters, ...scores], weight: 2 },
  {
    name: 'DynamicResources',
    points: ['preEnqueue', ...filters, 'postFilter', 'score', 'reserve', 'preBind'],
    weight: 2,
  },
  { name: 'DefaultPreemption', points: ['preEnqueue', 'postFilter'] },
  { name: 'NodeResourcesBalancedAllocation', points: scores, weight: 1 },
  { name: 'ImageLocality', points: ['score'], weight: 1 },
  { name: 'DefaultBinder', points: ['bind'] },
  { name: 'NodeDeclaredFeatures', points: filters },
];

export const pointsOf = (name: string): readonly ExtensionPoint[] | undefined =>
  pluginPoints.find((plugin) => plugin.name === name)?.points;
