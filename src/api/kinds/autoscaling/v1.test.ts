import { describe, expect, test } from 'vitest';
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler } from '../../generated/types.ts';
import { fromV2, toV2 } from './v1.ts';

const metrics = 'autoscaling.alpha.kubernetes.io/metrics';
const behavior = 'autoscaling.alpha.kubernetes.io/behavior';

const v1 = (annotations: Record<string, string>) =>
  ({
    metadata: { name: 'h', annotations },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3 },
  }) as AutoscalingV1HorizontalPodAutoscaler;

describe('metrics in the annotation', () => {
  const d = { kind: 'K', name: 'n' };
  const m = { name: 'm' };
  test.each<[string, object, object]>([
    [
      'a share',
      { type: 'Resource', resource: { name: 'memory', targetAverageUtilization: 5, targetAverageValue: '2' } },
      { resource: { name: 'memory', target: { type: 'Utilization', averageValue: '2', averageUtilization: 5 } } },
    ],
    [
      'an amount of a container',
      { type: 'ContainerResource', containerResource: { name: 'memory', container: 'c', targetAverageValue: '2' } },
      { containerResource: { name: 'memory', target: { type: 'AverageValue', averageValue: '2' }, container: 'c' } },
    ],
    [
      'pods without a target',
      { type: 'Pods', pods: { metricName: 'm' } },
      { pods: { metric: m, target: { type: 'AverageValue', averageValue: '0' } } },
    ],
    [
      'an object without a target',
      { type: 'Object', object: { target: d, metricName: 'm' } },
      { object: { describedObject: d, metric: m, target: { type: 'Value', value: '0' } } },
    ],
    [
      'an object with a mean and no value',
      { type: 'Object', object: { target: d, metricName: 'm', targetValue: '0', averageValue: '2' } },
      { object: { describedObject: d, metric: m, target: { type: 'AverageValue', averageValue: '2' } } },
    ],
    [
      'an object with both',
      { type: 'Object', object: { target: d, metricName: 'm', targetValue: '1', averageValue: '2' } },
      { object: { describedObject: d, metric: m, target: { type: 'AverageValue', value: '1', averageValue: '2' } } },
    ],
    [
      'an external one with both',
      { type: 'External', external: { metricName: 'm', targetValue: '1', targetAverageValue: '2' } },
      { external: { metric: m, target: { type: 'Value', value: '1', averageValue: '2' } } },
    ],
    ['no source', { type: 'Odd' }, {}],
    [
      'two sources',
      { pods: { metricName: 'm' }, external: { metricName: 'm' } },
      {
        pods: { metric: m, target: { type: 'AverageValue', averageValue: '0' } },
        external: { metric: m, target: { type: 'AverageValue' } },
      },
    ],
  ])('%s', (_, old, wanted) => {
    const { spec } = toV2(v1({ [metrics]: JSON.stringify([old]) }));
    expect(spec.metrics).toEqual([{ type: (old as any).type ?? '', ...wanted }]);
  });

  test('return as they were', () => {
    const list = [
      { type: 'Pods', pods: { metric: m, target: { type: 'AverageValue', averageValue: '3' } } },
      { type: 'External', external: { metric: m, target: { type: 'Value', value: '3' } } },
    ];
    const { metadata, spec } = v1({});
    const v2 = { kind: 'HorizontalPodAutoscaler', metadata, spec: { ...spec, metrics: list } };
    expect(toV2(fromV2(v2 as HorizontalPodAutoscaler)).spec.metrics).toEqual(list);
  });
});

test.each([
  [metrics, 'no JSON'],
  [metrics, '{}'],
  [metrics, '7'],
  [metrics, '["a"]'],
  [metrics, 'null'],
  [behavior, '{}'],
  [behavior, '7'],
  [behavior, '[]'],
])('the annotation %s of %s is ignored', (key, value) => {
  const { metadata, spec } = toV2(v1({ [key]: value }));
  expect(metadata).not.toHaveProperty('annotations');
  expect(spec).not.toHaveProperty('metrics');
  expect(spec).not.toHaveProperty('behavior');
});

describe('behaviour in the annotation', () => {
  const given = {
    scaleUp: {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    },
    scaleDown: { selectPolicy: 'Disabled', tolerance: '50m' },
  };
  const withBehavior = (rules: object) => {
    const { metadata, spec } = v1({});
    return { kind: 'HorizontalPodAutoscaler', metadata, spec: { ...spec, behavior: rules } } as HorizontalPodAutoscaler;
  };

  test('has the names of the internal type', () => {
    const text = fromV2(withBehavior(given)).metadata.annotations?.[behavior] ?? '';
    expect(JSON.parse(text)).toEqual({
      ScaleUp: {
        StabilizationWindowSeconds: 0,
        SelectPolicy: 'Max',
        Policies: [
          { Type: 'Pods', Value: 4, PeriodSeconds: 15 },
          { Type: 'Percent', Value: 100, PeriodSeconds: 15 },
        ],
        Tolerance: null,
      },
      ScaleDown: { StabilizationWindowSeconds: null, SelectPolicy: 'Disabled', Policies: [], Tolerance: '50m' },
    });
  });

  test.each([[given], [{ scaleDown: { stabilizationWindowSeconds: 60 } }]])('returns as it was: %j', (rules) => {
    const returned = toV2(fromV2(withBehavior(rules))).spec.behavior;
    const plain = JSON.parse(JSON.stringify(returned), (key, value: unknown) =>
      key === 'policies' && JSON.stringify(value) === '[]' ? undefined : value,
    );
    expect(plain).toEqual(rules);
  });
});

describe('the usage of metrics', () => {
  const annotation = 'autoscaling.alpha.kubernetes.io/current-metrics';
  const current = [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40, averageValue: '400m' } } },
    {
      type: 'ContainerResource',
      containerResource: { name: 'memory', container: 'c', current: { averageValue: '5' } },
    },
    { type: 'Pods', pods: { metric: { name: 'qps' }, current: { averageValue: '11m' } } },
    {
      type: 'Object',
      object: { metric: { name: 'hits' }, describedObject: { kind: 'Ingress', name: 'i' }, current: { value: '7' } },
    },
    {
      type: 'External',
      external: { metric: { name: 'queue', selector: { matchLabels: { a: 'b' } } }, current: { value: '5' } },
    },
  ];
  const old = () => {
    const { metadata, spec } = v1({});
    const v2 = { kind: 'HorizontalPodAutoscaler', metadata, spec, status: { currentMetrics: current } };
    return fromV2(v2 as unknown as HorizontalPodAutoscaler);
  };

  test('is in an annotation, that of the CPU in the status too', () => {
    const { metadata, status } = old();
    expect(status?.currentCPUUtilizationPercentage).toBe(40);
    expect(JSON.parse(metadata.annotations?.[annotation] ?? '')).toEqual([
      { type: 'Resource', resource: { name: 'cpu', currentAverageUtilization: 40, currentAverageValue: '400m' } },
      { type: 'ContainerResource', containerResource: { name: 'memory', currentAverageValue: '5', container: 'c' } },
      { type: 'Pods', pods: { metricName: 'qps', currentAverageValue: '11m' } },
      {
        type: 'Object',
        object: { target: { kind: 'Ingress', name: 'i' }, metricName: 'hits', currentValue: '7' },
      },
      {
        type: 'External',
        external: { metricName: 'queue', metricSelector: { matchLabels: { a: 'b' } }, currentValue: '5' },
      },
    ]);
  });

  test('returns as it was', () => expect(toV2(old()).status?.currentMetrics).toEqual(current));

  test('of the CPU returns from the status alone', () => {
    const { status } = toV2({ ...v1({}), status: { currentCPUUtilizationPercentage: 40 } } as never);
    expect(status?.currentMetrics).toEqual([
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40 } } },
    ]);
  });
});
