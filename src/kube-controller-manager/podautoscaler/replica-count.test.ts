// The cases of Kubernetes' own calculator: the same pods, usage and targets give the same replicas.

import { expect, test } from 'vitest';
import {
  replicasForAverage,
  replicasForShare,
  replicasForUtilization,
  replicasForValue,
  sumOfValues,
} from './replica-count.ts';
import { metricsOf, type Options, podsOf, targetOf } from './test-targets.ts';

/**
 * Pods as texts: thousandths of a core that each container uses, or `-` for no metrics, then `unready`, `hot` (just
 * started), `cool` (started three minutes ago), `pending`, `failed`, `deleted`, or `gone` (metrics of another pod).
 */
type Pods = string;

/** With requests of one core for each container by default. Wanted: replicas, utilization, usage; or an error. */
const utilization: readonly (readonly [string, Pods, Options, readonly number[] | string])[] = [
  ['disjoint resources metrics', '100 gone, -', { target: 100 }, 'no metrics returned matched known pods'],
  ['scale up', '300, 500, 700', { target: 30 }, [5, 50, 1000]],
  ['container scale up', '1000/300, 1000/500, 1000/700', { target: 30, container: 'container2' }, [5, 50, 500]],
  ['scale up unready less scale', '300 unready, 500, 700', { target: 30 }, [4, 60, 1200]],
  [
    'scale up container hot CPU less scale',
    '0/300 hot, 0/500 cool, 0/700 cool',
    { target: 30, container: 'container2' },
    [4, 60, 600],
  ],
  ['scale up hot CPU less scale', '300 hot, 500 cool, 700 cool', { target: 30 }, [4, 60, 1200]],
  ['scale up unready no scale', '400, 500 unready, 700 unready', { target: 30 }, [3, 40, 800]],
  ['scale hot CPU no scale', '400 cool, 500 unready hot, 700 unready hot', { target: 30 }, [3, 40, 800]],
  [
    'scale up ignores failed pods',
    '500, 700, - unready failed, - unready failed',
    { target: 30, replicas: 2 },
    [4, 60, 1200],
  ],
  [
    'missing container metric scale up ignores failed pods',
    '1000/500, 9000/700, 1000 unready failed, 9000 unready failed',
    { target: 30, replicas: 2, container: 'container2' },
    [4, 60, 600],
  ],
  [
    'scale up container ignores failed pods',
    '1000/500, 9000/700, - unready failed, - unready failed',
    { target: 30, replicas: 2, container: 'container2' },
    [4, 60, 600],
  ],
  [
    'scale up ignores deletion pods',
    '500, 700, - unready deleted, - unready deleted',
    { target: 30, replicas: 2 },
    [4, 60, 1200],
  ],
  [
    'scale up container ignores deletion pods',
    '500, 700, - unready deleted, - unready deleted',
    { target: 30, replicas: 2, container: 'container1' },
    [4, 60, 600],
  ],
  ['scale down', '100, 300, 500, 250, 250', { target: 50 }, [3, 28, 560]],
  [
    'container scale down',
    '1000/100, 1000/300, 1000/500, 1000/250, 1000/250',
    { target: 50, container: 'container2' },
    [3, 28, 280],
  ],
  ['scale down exclude unready pods', '100, 300, 500, 250 unready, 250 unready', { target: 50 }, [2, 30, 600]],
  [
    'scale down container exclude unready pods',
    '1000/100, 1000/300, 1000/500, 1000/250 unready, 1000/250 unready',
    { target: 50, container: 'container2' },
    [2, 30, 300],
  ],
  [
    'scale down exclude unscheduled pods',
    '100, - unready pending, - unready pending, - unready pending, - unready pending',
    { target: 50 },
    [1, 10, 200],
  ],
  [
    'scale down container exclude unscheduled pods',
    '1000/100, 1000/300 unready pending, 1000/500 unready pending, 1000/250 unready pending, 1000/250 unready pending',
    { target: 50, container: 'container2' },
    [1, 10, 100],
  ],
  ['scale down ignore hot CPU pods', '100 cool, 300 cool, 500 cool, 250 hot, 250 hot', { target: 50 }, [2, 30, 600]],
  [
    'scale down container ignore hot CPU pods',
    '1000/100 cool, 1000/300 cool, 1000/500 cool, 1000 hot, 1000 hot',
    { target: 50, container: 'container2' },
    [2, 30, 300],
  ],
  [
    'scale down ignores failed pods',
    '100, 300, 500, 250, 250, - unready failed, - unready failed',
    { target: 50, replicas: 5 },
    [3, 28, 560],
  ],
  [
    'scale down container ignores failed pods',
    '1000/100, 1000/300, 1000/500, 1000/250, 1000/250, - unready failed, - unready failed',
    { target: 50, replicas: 5, container: 'container2' },
    [3, 28, 280],
  ],
  [
    'scale down ignores deletion pods',
    '100, 300, 500, 250, 250, - unready deleted, - unready deleted',
    { target: 50, replicas: 5 },
    [3, 28, 560],
  ],
  [
    'scale down ignores deletion pods still running',
    '1000/100, 1000/300, 1000/500, 1000/250, 1000/250, - unready deleted, - unready deleted',
    { target: 50, replicas: 5, container: 'container2' },
    [3, 28, 280],
  ],
  ['tolerance', '1010, 1030, 1020', { target: 100, requests: [0.9, 1, 1.1] }, [3, 102, 2040]],
  ['superfluous metrics', '4000, 9500, 3000, 7000, 3200 gone, 2000 gone', { target: 100 }, [24, 587, 11750]],
  ['missing metrics', '400, 95, -, -', { target: 100 }, [3, 24, 495]],
  ['empty CPU request', '200', { target: 100, requests: [] }, 'missing request for'],
  ['missing metrics no change eq', '1000, -', { target: 100 }, [2, 100, 2000]],
  ['missing metrics no change gt', '1900, -', { target: 100 }, [2, 190, 3800]],
  ['missing metrics no change lt', '600, -', { target: 100 }, [2, 60, 1200]],
  ['missing metrics unready change', '100 unready, 450, -', { target: 50 }, [3, 45, 900]],
  ['missing metrics hot CPU no change', '100 hot, 450 cool, - cool', { target: 50 }, [3, 45, 900]],
  ['missing metrics unready scale up', '100 unready, 2000, -', { target: 50 }, [4, 200, 4000]],
  ['missing metrics hot CPU scale up', '100 unready hot, 2000 cool, - cool', { target: 50 }, [4, 200, 4000]],
  ['missing metrics unready scale down', '100 unready, 100, 100, -', { target: 50 }, [3, 10, 200]],
  [
    'missing metrics scale down target over100',
    '200 unready, 100, 100, -',
    { target: 300, requests: [1, 1, 2, 2] },
    [2, 6, 200],
  ],
  ['during rolling update with max surge', '100, 100, -', { target: 50, replicas: 2 }, [2, 10, 200]],
  [
    'outside a tolerance of 0 %',
    '909, 1010, 1111',
    { target: 100, requests: [0.9, 1, 1.1], down: 0, up: 0 },
    [4, 101, 2020],
  ],
  [
    'within a tolerance of 200 % up',
    '1890, 1910, 1900',
    { target: 100, requests: [0.9, 1, 1.1], up: 2 },
    [3, 190, 3800],
  ],
  [
    'outside a tolerance of 8 % up',
    '1100, 1080, 1090',
    { target: 100, requests: [0.9, 1, 1.1], down: 2, up: 0.08 },
    [4, 109, 2180],
  ],
  [
    'within a tolerance of 36 % down',
    '660, 640, 650',
    { target: 100, requests: [0.9, 1, 1.1], down: 0.36 },
    [3, 65, 1300],
  ],
  [
    'outside a tolerance of 34 % down',
    '660, 640, 650',
    { target: 100, requests: [0.9, 1, 1.1], down: 0.34 },
    [2, 65, 1300],
  ],
];

test.each(utilization)('utilization: %s', (_, pods, options, wanted) => {
  const { container = '', target } = options;
  const propose = () =>
    replicasForUtilization(targetOf(pods, options), metricsOf(pods, container), {
      resource: 'cpu',
      container,
      utilization: target,
    });
  if (typeof wanted === 'string') return void expect(propose).toThrow(wanted);
  const { replicas, utilization, usage } = propose();
  expect([replicas, utilization, usage]).toEqual(wanted);
});

/** Values of a metric for each pod. Wanted: replicas and usage. */
const averages: readonly (readonly [string, Pods, Options, readonly number[]])[] = [
  ['scale up custom metric', '20000, 10000, 30000', { target: 15000 }, [4, 20000]],
  [
    'scale up custom metric unready hot CPU no less scale',
    '50000 cool, 10000 cool, 30000 unready hot',
    { target: 15000 },
    [6, 30000],
  ],
  [
    'scale up custom metric unready hot CPU scale would scale down',
    '50000 unready hot, 15000 cool, 30000 unready hot',
    { target: 15000 },
    [7, 31666],
  ],
  ['scale up custom metric external', '8600', { target: 4400 }, [2, 8600]],
  ['scale up custom metric external no labels', '8600', { target: 4400 }, [2, 8600]],
  ['scale down custom metric', '12000, 12000, 12000, 12000, 12000', { target: 20000 }, [3, 12000]],
  ['tolerance custom metric', '20000, 21000, 21000', { target: 20000 }, [3, 20666]],
  ['configurable tolerance custom metric', '20000, 21000, 21000', { target: 20000, up: 0.01 }, [4, 20666]],
  [
    'plain metric replica calc missing metrics no change eq',
    '20000, 19000, 21000, -, -',
    { target: 20000 },
    [5, 20000],
  ],
  ['during rolling update with max surge custom metric', '10000, 10000, -', { target: 17000, replicas: 2 }, [2, 10000]],
];

test.each(averages)('average value: %s', (_, pods, options, wanted) => {
  const { replicas, usage } = replicasForAverage(
    targetOf(pods, options),
    metricsOf(pods, 'container1'),
    options.target,
  );
  expect([replicas, usage]).toEqual(wanted);
});

const most = 2 ** 63;
const half = 2 ** 62;

/** Values of an object or an external metric. Wanted: replicas and usage. */
const values: readonly (readonly [string, 'value' | 'share', Pods, readonly number[], Options, readonly number[]])[] = [
  ['scale up overflow', 'value', '-, -, -', [most], { target: 1 }, [2 ** 31 - 1, most]],
  ['external per pod metric replica overflow', 'share', '-', [most], { target: 1 }, [2 ** 31 - 1, most]],
  ['external per pod metric usage overflow', 'share', '-', [most], { target: most }, [1, most]],
  ['scale up custom metric object', 'value', '-, -, -', [20000], { target: 15000 }, [4, 20000]],
  ['scale up custom metric per pod object', 'share', '-, -, -', [20000], { target: 5000 }, [4, 6667]],
  [
    'scale up custom metric object ignores unready pods',
    'value',
    '- unready, -, - unready',
    [50000],
    { target: 10000 },
    [5, 50000],
  ],
  [
    'scale up custom metric external ignores unready pods',
    'value',
    '- unready, -, - unready',
    [8600],
    { target: 4400 },
    [2, 8600],
  ],
  ['scale up per pod custom metric external', 'share', '-, -, -', [8600], { target: 2150 }, [4, 2867]],
  ['scale down per pod custom metric object', 'share', '-, -, -, -, -', [6000], { target: 2000 }, [3, 1200]],
  ['scale down custom metric object', 'value', '-, -, -, -, -', [12000], { target: 20000 }, [3, 12000]],
  ['scale down custom metric external', 'value', '-, -, -, -, -', [8600], { target: 14334 }, [3, 8600]],
  ['scale down per pod custom metric external', 'share', '-, -, -, -, -', [8600], { target: 2867 }, [3, 1720]],
  ['tolerance custom metric object', 'value', '-, -, -', [20666], { target: 20000 }, [3, 20666]],
  ['tolerance per pod custom metric object', 'share', '-, -, -, -', [20166], { target: 5000 }, [4, 5042]],
  ['tolerance custom metric external', 'value', '-, -, -', [8600], { target: 8888 }, [3, 8600]],
  ['tolerance per pod custom metric external', 'share', '-, -, -', [8600], { target: 2900 }, [3, 2867]],
  ['configurable tolerance custom metric object', 'value', '-, -, -', [20666], { target: 20000, up: 0.01 }, [4, 20666]],
  [
    'configurable tolerance per pod custom metric object',
    'share',
    '-, -, -, -',
    [20208],
    { target: 5000, up: 0.01 },
    [5, 5052],
  ],
  ['configurable tolerance custom metric external', 'value', '-, -, -', [8900], { target: 8800, up: 0.01 }, [4, 8900]],
  [
    'configurable tolerance per pod custom metric external',
    'share',
    '-, -, -',
    [8600],
    { target: 2800, up: 0.01 },
    [4, 2867],
  ],
  ['external metric usage overflow', 'value', '-, -, -', [half, half], { target: most }, [3, most]],
];

test.each(values)('value: %s', (_, kind, pods, levels, options, wanted) => {
  const propose = kind === 'value' ? replicasForValue : replicasForShare;
  const { replicas, usage } = propose(targetOf(pods, options), sumOfValues(levels), options.target);
  expect([replicas, usage]).toEqual(wanted);
});

test('a target without replicas scales to the ratio of the value, and one without pods is an error', () => {
  const options = { target: 100, replicas: 0 };
  expect(replicasForValue(targetOf('', options), 250, 100)).toEqual({ replicas: 3, usage: 250 });
  expect(() => replicasForValue(targetOf('', { target: 100, replicas: 1 }), 250, 100)).toThrow(
    'unable to calculate ready pods: no pods returned by selector while calculating replica count',
  );
  expect(podsOf('', options)).toEqual([]);
});
