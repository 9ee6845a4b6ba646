// Validation of small kinds: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from './test-faults.ts';

describe('roles', () => {
  const find = faultFinder('rbac.authorization.k8s.io/v1/roles', { rules: [] });
  test.each<FaultRow>([
    [
      'rules',
      [{ verbs: [] }],
      [
        'rules[0].verbs: Required value: verbs must contain at least one value',
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
      ],
    ],
    [
      'rules',
      [{ verbs: ['get'], nonResourceURLs: ['/'] }],
      ['rules[0].nonResourceURLs: Invalid value: ["/"]: namespaced rules cannot apply to non-resource URLs'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('clusterroles', () => {
  const find = faultFinder('rbac.authorization.k8s.io/v1/clusterroles', { rules: [] });
  test.each<FaultRow>([
    [
      'rules',
      [{ verbs: ['get'], nonResourceURLs: ['/'], resources: ['x'] }],
      [
        'rules[0].nonResourceURLs: Invalid value: ["/"]: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
    [
      'aggregationRule',
      {},
      [
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      'aggregationRule',
      { clusterRoleSelectors: [{ matchExpressions: [{ key: 'k', operator: 'x' }] }] },
      [
        'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "x": not a valid selector operator',
        'aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('rolebindings', () => {
  const find = faultFinder('rbac.authorization.k8s.io/v1/rolebindings', { roleRef: { kind: 'Role', name: 'r' } });
  test.each<FaultRow>([
    ['roleRef.kind', 'x', ['roleRef.kind: Unsupported value: "x": supported values: "Role", "ClusterRole"']],
    ['roleRef.name', '', ['roleRef.name: Required value']],
    [
      'roleRef.apiGroup',
      'x',
      ['roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"'],
    ],
    [
      'subjects',
      [
        { kind: 'ServiceAccount', name: 'A', apiGroup: 'x' },
        { kind: 'x', name: '' },
        { kind: 'User', name: 'u', apiGroup: 'x' },
      ],
      [
        "subjects[0].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'subjects[0].apiGroup: Unsupported value: "x": supported values: ""',
        'subjects[1].name: Required value',
        'subjects[1].kind: Unsupported value: "x": supported values: "ServiceAccount", "User", "Group"',
        'subjects[2].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'roleRef.name',
      's',
      [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}: cannot change roleRef',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('clusterrolebindings', () => {
  const find = faultFinder('rbac.authorization.k8s.io/v1/clusterrolebindings', {
    roleRef: { kind: 'ClusterRole', name: 'r' },
  });
  test.each<FaultRow>([
    ['roleRef.kind', 'Role', ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"']],
    ['subjects', [{ kind: 'ServiceAccount', name: 'a' }], ['subjects[0].namespace: Required value']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('leases', () => {
  const find = faultFinder('coordination.k8s.io/v1/leases', { spec: {} });
  test.each<FaultRow>([
    ['spec.leaseDurationSeconds', 0, ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0']],
    ['spec.leaseTransitions', -1, ['spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('runtimeclasses', () => {
  const find = faultFinder('node.k8s.io/v1/runtimeclasses', { handler: 'h' });
  test.each<FaultRow>([
    ['handler', '', ['handler: Required value']],
    [
      'handler',
      'A',
      [
        "handler: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'overhead',
      { podFixed: { k: '1' } },
      [
        'overhead.limits[k]: Invalid value: "k": must be a standard resource type or fully qualified',
        'overhead.limits[k]: Invalid value: "k": must be a standard resource for containers',
      ],
    ],
    [
      'scheduling',
      {
        nodeSelector: { 'a b': '' },
        tolerations: [
          { key: 'k', operator: 'Exists' },
          { key: 'k', operator: 'Exists' },
        ],
      },
      [
        "scheduling.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'scheduling.tolerations[1]: Duplicate value: {"Key":"k","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['handler', 'i', ['handler: Invalid value: "i": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('priorityclasses', () => {
  const find = faultFinder('scheduling.k8s.io/v1/priorityclasses', { value: 1 });
  test.each<FaultRow>([
    ['value', 1000000001, ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000']],
    [
      'preemptionPolicy',
      'x',
      ['preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never"'],
    ],
    [
      'metadata.name',
      'system-x',
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class",
      ],
    ],
    [
      'metadata.name',
      'system-node-critical',
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['value', 2, ['value: Forbidden: may not be changed in an update.']],
    ['preemptionPolicy', 'Never', ['preemptionPolicy: Invalid value: "Never": field is immutable']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('poddisruptionbudgets', () => {
  const find = faultFinder('policy/v1/poddisruptionbudgets', { spec: { selector: {} } });
  test.each<FaultRow>([
    [
      'spec',
      { minAvailable: 1, maxUnavailable: 1 },
      [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
      ],
    ],
    ['spec.minAvailable', '101%', ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%']],
    ['spec.maxUnavailable', -1, ['spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0']],
    [
      'spec.unhealthyPodEvictionPolicy',
      'x',
      ['spec.unhealthyPodEvictionPolicy: Unsupported value: "x": supported values: "AlwaysAllow", "IfHealthyBudget"'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('horizontalpodautoscalers', () => {
  const find = faultFinder('autoscaling/v2/horizontalpodautoscalers', {
    spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } },
  });
  test.each<FaultRow>([
    [
      'spec.maxReplicas',
      0,
      [
        'spec.maxReplicas: Required value: must be set and greater than 0',
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
      ],
    ],
    [
      'spec.minReplicas',
      0,
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas',
      ],
    ],
    ['spec.minReplicas', 3, ['spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`']],
    [
      'spec.scaleTargetRef',
      {},
      [
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Required value',
        'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
      ],
    ],
    [
      'spec.scaleTargetRef.apiVersion',
      'a/b/c',
      ['spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
    ],
    [
      'spec.metrics',
      [{ type: 'x' }],
      [
        'spec.metrics[0].type: Unsupported value: "x": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        'spec.metrics[0].type: Unsupported value: "x": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
      ],
    ],
    [
      'spec.metrics',
      [{ type: 'Resource', resource: { name: '', target: { type: 'x', averageUtilization: 0, averageValue: '0' } } }],
      [
        'spec.metrics[0].resource.name: Required value: must specify a resource name',
        'spec.metrics[0].resource.target.type: Invalid value: "x": must be either Utilization, Value, or AverageValue',
        'spec.metrics[0].resource.target.averageValue: Invalid value: "0": must be positive',
        'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
        'spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization',
      ],
    ],
    [
      'spec.metrics',
      [{ type: 'Pods', object: { target: {} } }],
      [
        'spec.metrics[0].object.describedObject.kind: Required value',
        'spec.metrics[0].object.describedObject.name: Required value',
        'spec.metrics[0].object.metric.name: Required value: must specify a metric name',
        'spec.metrics[0].object.target.type: Required value: must specify a metric target type',
        'spec.metrics[0].object.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue',
        'spec.metrics[0].object.target.averageValue: Required value: must set either a target value or averageValue',
        'spec.metrics[0].pods: Required value: must populate information for the given metric source',
      ],
    ],
    [
      'spec.behavior',
      {
        scaleUp: {
          policies: [{ type: 'x', value: 0, periodSeconds: 2000 }],
          selectPolicy: 'x',
          stabilizationWindowSeconds: 4000,
          tolerance: '-1',
        },
      },
      [
        'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "x": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.policies[0].type: Unsupported value: "x": supported values: "Percent", "Pods"',
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
        'spec.behavior.scaleUp.tolerance: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['spec.scaleTargetRef.name', 'e', []]])('changed: %s = %j', (path, value, faults) =>
    expect(find.onUpdate(path, value)).toEqual(faults),
  );
});
