// The autoscaler over the real API server, in virtual time; the test sets the metrics.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { conditionOf, type HorizontalPodAutoscaler, type MetricSpec } from '../../api/api.ts';
import { at, selector, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import type { AutoscalerConfig } from './config.ts';
import { TestAdapter } from './test-adapter.ts';

let cluster: TestCluster;
let adapter: TestAdapter;
/** The CPU usage of pods counts from their first second. */
beforeEach(() => start({ cpuInitializationMs: 1_000 }));
afterEach(() => cluster.stop());

async function start(autoscaler: AutoscalerConfig): Promise<void> {
  adapter = new TestAdapter();
  cluster = await startTestCluster({ autoscaler }, adapter.answer);
  adapter.cluster = cluster;
}

const resources = { requests: { cpu: '1', memory: '64Mi' } };
const podSpec = { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: 'i', resources }] };
const podTemplate = { metadata: { labels: { app: 'x' } }, spec: podSpec };
const web = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const cpuAt = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

async function deploy(replicas: number): Promise<void> {
  const spec = { replicas, selector, template: podTemplate };
  await cluster.client.create('deployments', { metadata: at('web'), spec } as never);
  await cluster.runPods();
}
const autoscale = (spec: Partial<HorizontalPodAutoscaler['spec']> = {}, name = 'web') =>
  cluster.client.create('horizontalpodautoscalers', {
    metadata: at(name),
    spec: { scaleTargetRef: web, minReplicas: 1, maxReplicas: 10, metrics: [cpuAt(50)], ...spec },
  } as never);
const current = (name = 'web') => cluster.client.get('horizontalpodautoscalers', at(name));
const replicas = async () => (await cluster.client.get('deployments', at('web'))).spec?.replicas;
const condition = async (type: string, name = 'web') => {
  const { status, reason, message } = conditionOf(await current(name), type) ?? {};
  return [status, reason, message];
};
/** As `TYPE REASON MESSAGE`, in their order. */
const events = async () =>
  (await cluster.client.list('events', { namespace: 'default' })).items
    .filter(({ source }) => source?.component === 'horizontal-pod-autoscaler')
    .map(({ type, reason, message }) => `${type} ${reason} ${message}`);
/** Whole periods of the controller, in which pods start and end. */
async function periods(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await cluster.clock.advance(15_000);
    await cluster.runPods();
  }
}

test('a target grows with its load within one period, and shrinks five minutes after it', async () => {
  await cluster.stop();
  await start({});
  adapter.load = 900;
  await deploy(1);
  // The pod's CPU usage counts when the time of its initialization is over.
  await periods(21);
  await autoscale();
  await cluster.clock.advance(15_100);
  expect(await replicas()).toBe(2);
  expect(await condition('AbleToScale')).toEqual([
    'True',
    'SucceededRescale',
    'the HPA controller was able to update the target scale to 2',
  ]);
  expect(await condition('ScalingActive')).toEqual([
    'True',
    'ValidMetricFound',
    'the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
  ]);
  expect(await condition('ScalingLimited')).toEqual([
    'False',
    'DesiredWithinRange',
    'the desired count is within the acceptable range',
  ]);
  const { status } = await current();
  expect(status).toMatchObject({
    currentReplicas: 1,
    desiredReplicas: 2,
    currentMetrics: [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '900m' } } },
    ],
  });
  expect(Date.parse(status?.lastScaleTime ?? '')).toBeGreaterThan(cluster.clock.now() - 1_000);
  expect(await events()).toEqual([
    'Normal SuccessfulRescale New size: 2; reason: cpu resource utilization (percentage of request) above target',
  ]);

  await periods(21);
  expect(await replicas()).toBe(2);
  adapter.load = 100;
  await periods(17);
  expect(await replicas()).toBe(2);
  expect(await condition('AbleToScale')).toEqual([
    'True',
    'ScaleDownStabilized',
    'recent recommendations were higher than current one, applying the highest recent recommendation',
  ]);
  await periods(3);
  expect(await replicas()).toBe(1);
  expect((await events()).at(-1)).toBe('Normal SuccessfulRescale New size: 1; reason: All metrics below target');
  const text = cluster.context.metrics.text();
  expect(text).toMatch(
    /^horizontal_pod_autoscaler_controller_reconciliations_total\{action="scale_down",error="none"} 1$/m,
  );
  expect(text).toContain('horizontal_pod_autoscaler_controller_desired_replicas{namespace="default",hpa_name="web"} 1');
  expect(text).toContain('horizontal_pod_autoscaler_controller_num_horizontal_pod_autoscalers 1');
});

test('the behavior of the object limits its rates', async () => {
  adapter.load = 4_000;
  await deploy(1);
  await periods(1);
  const policy = { type: 'Pods', value: 3, periodSeconds: 60 };
  const down = { type: 'Percent', value: 50, periodSeconds: 60 };
  await autoscale({
    maxReplicas: 100,
    behavior: { scaleUp: { policies: [policy] }, scaleDown: { stabilizationWindowSeconds: 0, policies: [down] } },
  } as never);
  await cluster.clock.advance(15_100);
  expect(await replicas()).toBe(4);
  expect(await condition('ScalingLimited')).toEqual([
    'True',
    'ScaleUpLimit',
    'the desired replica count is increasing faster than the maximum scale rate',
  ]);
  await periods(3);
  expect(await replicas()).toBe(4);
  await periods(2);
  expect(await replicas()).toBe(7);
  await periods(9);
  expect(await replicas()).toBe(8);
  adapter.load = 0;
  await periods(1);
  expect(await replicas()).toBe(4);
  await periods(4);
  expect(await replicas()).toBe(2);
});

test.each<[string, MetricSpec, Partial<TestAdapter>, number, string]>([
  [
    'pods',
    { type: 'Pods', pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '10' } } },
    { requests: '15' },
    3,
    'pods metric requests',
  ],
  [
    'an object',
    {
      type: 'Object',
      object: {
        metric: { name: 'hits' },
        describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'main' },
        target: { type: 'Value', value: '10' },
      },
    },
    { hits: '20' },
    4,
    'Ingress metric hits',
  ],
  [
    'an external system',
    { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '5' } } },
    { queue: ['10', '4500m'] },
    3,
    'external metric queue(nil)',
  ],
  [
    'one container',
    {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'c', target: { type: 'Utilization', averageUtilization: 20 } },
    },
    { load: 600 },
    3,
    'cpu container resource utilization (percentage of request)',
  ],
  [
    'memory',
    { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '32Mi' } } },
    { load: 0 },
    4,
    'memory resource',
  ],
])('a metric of %s', async (_, metric, values, wanted, name) => {
  Object.assign(adapter, values);
  await deploy(2);
  await periods(1);
  await autoscale({ metrics: [metric] });
  await cluster.clock.advance(15_100);
  expect(await events()).toEqual([`Normal SuccessfulRescale New size: ${wanted}; reason: ${name} above target`]);
  expect(await replicas()).toBe(wanted);
});

const unable = 'the HPA was unable to compute the replica count: ';
const noResource =
  'failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)';
const noCustom =
  'unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered';
const external = {
  type: 'External',
  external: {
    metric: { name: 'queue', selector: { matchLabels: { zone: 'a' } } },
    target: { type: 'Value', value: '5' },
  },
};
const shownSelector =
  '&LabelSelector{MatchLabels:map[string]string{zone: a,},MatchExpressions:[]LabelSelectorRequirement{},}';

/** Why ScalingActive is false, and the cause of the event about it. */
test.each<[string, MetricSpec, string, string]>([
  ['a resource', cpuAt(50), 'FailedGetResourceMetric', noResource],
  [
    'pods',
    { type: 'Pods', pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '10' } } },
    'FailedGetPodsMetric',
    `unable to get metric requests: ${noCustom}`,
  ],
  [
    'an object',
    {
      type: 'Object',
      object: {
        metric: { name: 'hits' },
        describedObject: { kind: 'Service', name: 'main' },
        target: { type: 'Value', value: '10' },
      },
    },
    'FailedGetObjectMetric',
    `unable to get metric hits: Service on default main/${noCustom}`,
  ],
  [
    'an external system',
    external,
    'FailedGetExternalMetric',
    `unable to get external metric default/queue/${shownSelector}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get queue.external.metrics.k8s.io)`,
  ],
])('without an adapter there is no metric of %s', async (_, metric, reason, cause) => {
  await deploy(2);
  await autoscale({ metrics: [metric] });
  await cluster.clock.advance(15_100);
  expect(await condition('ScalingActive')).toEqual(['False', reason, unable + cause]);
  const [first, second] = await events();
  expect(first).toBe(`Warning ${reason} ${cause}`);
  expect(second).toMatch(
    /^Warning FailedComputeMetricsReplicas invalid metrics \(1 invalid out of 1\), first error is: /,
  );
  expect((await current()).status).toMatchObject({ currentReplicas: 2, desiredReplicas: 0 });
  expect(await replicas()).toBe(2);
});

test('of two metrics one may fail while the other asks for more, but not when it asks for less', async () => {
  adapter.load = 2_000;
  await deploy(2);
  await periods(1);
  await autoscale({ metrics: [external, cpuAt(50)] });
  await cluster.clock.advance(15_100);
  expect(await replicas()).toBe(4);
  expect((await current()).status?.currentMetrics?.map(({ type }) => type)).toEqual(['', 'Resource']);
  await periods(2);
  adapter.load = 100;
  await periods(21);
  expect(await replicas()).toBe(4);
  expect((await condition('ScalingActive')).slice(0, 2)).toEqual(['False', 'FailedGetExternalMetric']);
});

const gotScale = "the HPA controller was able to get the target's current scale";
const noScale = "the HPA controller was unable to get the target's current scale: ";

test.each<[string, object, string]>([
  [
    'a kind that does not exist',
    { apiVersion: 'apps/v1', kind: 'Web', name: 'web' },
    'no matches for kind "Web" in group "apps"',
  ],
  [
    'a group that does not exist',
    { apiVersion: 'a.example/v1', kind: 'Web', name: 'web' },
    'no matches for kind "Web" in group "a.example"',
  ],
  ['an object that does not exist', { ...web, name: 'other' }, 'deployments.apps "other" not found'],
])('a target of %s', async (_, scaleTargetRef, message) => {
  await autoscale({ scaleTargetRef } as never);
  await cluster.clock.advance(15_100);
  expect(await condition('AbleToScale')).toEqual(['False', 'FailedGetScale', noScale + message]);
  expect(await events()).toEqual([`Warning FailedGetScale ${message}`]);
});

test('the bounds of the object come first, also without metrics', async () => {
  await deploy(2);
  await autoscale({ minReplicas: 4 });
  await cluster.clock.advance(15_100);
  expect(await replicas()).toBe(4);
  await cluster.client.patch('horizontalpodautoscalers', at('web'), {
    type: 'merge',
    body: { spec: { minReplicas: 1, maxReplicas: 3 } },
  });
  await cluster.clock.advance(15_100);
  expect(await replicas()).toBe(3);
  expect(await events()).toEqual([
    'Normal SuccessfulRescale New size: 4; reason: Current number of replicas below Spec.MinReplicas',
    'Normal SuccessfulRescale New size: 3; reason: Current number of replicas above Spec.MaxReplicas',
  ]);
});

test('a target with zero replicas is left alone', async () => {
  adapter.load = 1_000;
  await deploy(0);
  await autoscale();
  await periods(2);
  expect(await replicas()).toBe(0);
  expect(await condition('AbleToScale')).toEqual(['True', 'SucceededGetScale', gotScale]);
  expect(await condition('ScalingActive')).toEqual([
    'False',
    'ScalingDisabled',
    'scaling is disabled since the replica count of the target is zero',
  ]);
});

test('two autoscalers of the same pods both stop, until one of them goes', async () => {
  adapter.load = 2_000;
  await deploy(2);
  await periods(1);
  await autoscale();
  await cluster.clock.advance(15_100);
  await autoscale({}, 'other');
  await periods(2);
  const before = await replicas();
  const message = 'pods by selector app=x are controlled by multiple HPAs: [{other default} {web default}]';
  for (const name of ['web', 'other'])
    expect(await condition('ScalingActive', name)).toEqual(['False', 'AmbiguousSelector', message]);
  expect(await events()).toContain(`Warning AmbiguousSelector ${message}`);
  await cluster.client.delete('horizontalpodautoscalers', at('other'));
  await periods(1);
  expect((await condition('ScalingActive')).slice(0, 2)).toEqual(['True', 'ValidMetricFound']);
  expect(await replicas()).toBe(before);
});

test('an unchanged status is not written again', async () => {
  adapter.load = 500;
  await deploy(1);
  await periods(1);
  await autoscale();
  await periods(2);
  const { resourceVersion } = (await current()).metadata;
  await periods(4);
  expect((await current()).metadata.resourceVersion).toBe(resourceVersion);
});
