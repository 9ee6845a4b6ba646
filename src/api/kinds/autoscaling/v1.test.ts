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
