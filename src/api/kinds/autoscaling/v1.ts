// autoscaling/v1 has one metric, the share of CPU. Other fields of a v2 object are kept in annotations.

import { fieldsIn } from '../../../machinery/parsed.ts';
import { compareQuantities } from '../../../machinery/quantity.ts';
import { canonical } from '../../decode.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
  HPAScalingPolicy,
  HPAScalingRules,
  MetricSpec,
  AutoscalingV1HorizontalPodAutoscaler as V1,
  AutoscalingV1HorizontalPodAutoscalerSpec as V1Spec,
  AutoscalingV1HorizontalPodAutoscalerStatus as V1Status,
} from '../../generated/types.ts';
import { schemaNamed } from '../../schemas.ts';

const metrics = 'autoscaling.alpha.kubernetes.io/metrics';
const currentMetrics = 'autoscaling.alpha.kubernetes.io/current-metrics';
const conditions = 'autoscaling.alpha.kubernetes.io/conditions';
const behavior = 'autoscaling.alpha.kubernetes.io/behavior';
const all = [metrics, currentMetrics, conditions, behavior];

const isCpu = (metric: MetricSpec | null) =>
  metric?.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target?.averageUtilization !== undefined;

export function fromV2(object: HorizontalPodAutoscaler): V1 {
  const spec: Partial<HorizontalPodAutoscalerSpec> = object.spec ?? {};
  const status: Partial<HorizontalPodAutoscalerStatus> = object.status ?? {};
  const list = spec.metrics ?? [];
  const cpu = list.find(isCpu);
  const rest = list.filter((metric) => metric !== cpu);
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  for (const key of all) delete annotations[key];
  if (rest.length) annotations[metrics] = JSON.stringify(rest.map(toOldMetric));
  if (spec.behavior) annotations[behavior] = JSON.stringify(internalBehavior(spec.behavior));
  if (status.conditions?.length) annotations[conditions] = JSON.stringify(status.conditions);
  const current = status.currentMetrics ?? [];
  if (current.length) annotations[currentMetrics] = JSON.stringify(current.map(toOldStatus));
  const { annotations: _, ...metadata } = object.metadata;
  const used = current.find((metric) => metric.type === 'Resource' && metric.resource?.name === 'cpu');
  const v1 = {
    kind: object.kind,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(annotations).length && { annotations }) },
    spec: {
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization,
    },
    status: {
      observedGeneration: status.observedGeneration,
      lastScaleTime: status.lastScaleTime,
      currentReplicas: status.currentReplicas,
      desiredReplicas: status.desiredReplicas,
      currentCPUUtilizationPercentage: used?.resource?.current?.averageUtilization,
    },
  };
  return canonical(schemaOf('v1'), v1 as V1);
}

export function toV2(object: V1): HorizontalPodAutoscaler {
  const spec: Partial<V1Spec> = object.spec ?? {};
  const status: Partial<V1Status> = object.status ?? {};
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  const parsed = Object.fromEntries(all.map((key) => [key, parse(annotations[key])]));
  for (const key of all) delete annotations[key];
  const cpu = spec.targetCPUUtilizationPercentage;
  const list = [
    ...listOf(parsed[metrics]).map(fromOldMetric),
    ...(cpu === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } }]),
  ];
  const used = status.currentCPUUtilizationPercentage;
  const cpuStatus = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: used } } };
  const statuses = listOf(parsed[currentMetrics]);
  const current = statuses.length > 0 || used === undefined ? statuses.map(fromOldStatus) : [cpuStatus];
  const { annotations: _, ...metadata } = object.metadata;
  const v2 = {
    kind: object.kind,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length && { annotations }) },
    spec: {
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      ...(list.length && { metrics: list }),
      ...(hasRules(parsed[behavior]) && { behavior: publicBehavior(parsed[behavior]) }),
    },
    status: {
      observedGeneration: status.observedGeneration,
      lastScaleTime: status.lastScaleTime,
      currentReplicas: status.currentReplicas,
      desiredReplicas: status.desiredReplicas,
      ...(listOf(parsed[conditions]).length && { conditions: parsed[conditions] }),
      ...(current.length > 0 && { currentMetrics: current }),
    },
  };
  return canonical(schemaOf('v2'), v2 as HorizontalPodAutoscaler);
}

/** Lists of objects; anything else in an annotation is ignored. */
const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'object' && !Array.isArray(item)) ? value : [];
const hasRules = (value: unknown): boolean => Boolean(fieldsIn(value)['ScaleUp'] || fieldsIn(value)['ScaleDown']);

function parse(text: string | undefined): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

const schemaOf = (version: 'v1' | 'v2') => schemaNamed(`io.k8s.api.autoscaling.${version}.HorizontalPodAutoscaler`);

const sources = ['object', 'pods', 'resource', 'containerResource', 'external'] as const;
type Source = (typeof sources)[number];
type Fields = ReturnType<typeof fieldsIn>;

/** Converts the sources that a metric has: one, unless the annotation was written by hand. */
const eachSource = (metric: unknown, convert: (source: Fields, key: Source) => unknown) => {
  const fields = fieldsIn(metric);
  const given = sources.filter((key) => fields[key]);
  return {
    type: fields['type'] ?? '',
    ...Object.fromEntries(given.map((key) => [key, convert(fieldsIn(fields[key]), key)])),
  };
};

/** The annotation has metrics in the form of v2beta1: the target's fields are beside the name. */
const toOldMetric = (metric: unknown) => eachSource(metric, toOldSource);

function toOldSource({ name, container, metric, describedObject, target }: Fields, key: Source): unknown {
  const { name: metricName, selector } = fieldsIn(metric);
  const { value, averageValue, averageUtilization } = fieldsIn(target);
  switch (key) {
    case 'resource':
    case 'containerResource':
      return clean({
        name,
        targetAverageUtilization: averageUtilization,
        targetAverageValue: averageValue,
        container,
      });
    case 'pods':
      return clean({ metricName, targetAverageValue: averageValue ?? '0', selector });
    case 'object':
      return clean({ target: describedObject, metricName, targetValue: value ?? '0', selector, averageValue });
    default:
      return clean({
        metricName,
        metricSelector: selector,
        targetValue: value,
        targetAverageValue: averageValue,
      });
  }
}

const fromOldMetric = (metric: unknown) => eachSource(metric, fromOldSource);

function fromOldSource(old: Fields, key: Source): unknown {
  const { name, container, metricName, selector, metricSelector, target: describedObject } = old;
  const target = fromOldTarget(old, key);
  if (key === 'resource' || key === 'containerResource') return clean({ name, target, container });
  const metric = clean({ name: metricName, selector: selector ?? metricSelector });
  return clean({ describedObject, metric, target });
}

function fromOldTarget(old: Fields, key: Source): unknown {
  const { targetValue, targetAverageValue, targetAverageUtilization, averageValue } = old;
  switch (key) {
    case 'resource':
    case 'containerResource':
      return clean({
        type: targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization',
        averageValue: targetAverageValue,
        averageUtilization: targetAverageUtilization,
      });
    case 'pods':
      return { type: 'AverageValue', averageValue: targetAverageValue ?? '0' };
    case 'external':
      return clean({
        type: targetValue === undefined ? 'AverageValue' : 'Value',
        value: targetValue,
        averageValue: targetAverageValue,
      });
    default:
      if (averageValue === undefined) return { type: 'Value', value: targetValue ?? '0' };
      // A zero stands for no value: the old form always has one.
      return clean({ type: 'AverageValue', value: isZero(targetValue) ? undefined : targetValue, averageValue });
  }
}

function isZero(quantity: unknown): boolean {
  try {
    return compareQuantities(quantity as string, 0) === 0;
  } catch {
    return quantity === undefined;
  }
}

const toOldStatus = (metric: unknown) => eachSource(metric, toOldCurrent);

function toOldCurrent({ current, name, container, metric, describedObject: target }: Fields, key: Source): unknown {
  const { averageUtilization, averageValue, value } = fieldsIn(current);
  const { name: metricName, selector } = fieldsIn(metric);
  const currentAverageValue = averageValue ?? '0';
  const currentValue = value ?? '0';
  switch (key) {
    case 'resource':
    case 'containerResource':
      return clean({ name, currentAverageUtilization: averageUtilization, currentAverageValue, container });
    case 'pods':
      return clean({ metricName, currentAverageValue, selector });
    case 'object':
      return clean({ target, metricName, currentValue, selector, averageValue });
    default:
      return clean({ metricName, metricSelector: selector, currentValue, currentAverageValue: averageValue });
  }
}

const fromOldStatus = (metric: unknown) => eachSource(metric, fromOldCurrent);

function fromOldCurrent(old: Fields, key: Source): unknown {
  const { name, container, metricName, selector, metricSelector, target: describedObject } = old;
  const { currentAverageUtilization: averageUtilization, currentAverageValue, currentValue, averageValue } = old;
  const metric = clean({ name: metricName, selector: selector ?? metricSelector });
  switch (key) {
    case 'resource':
    case 'containerResource':
      return clean({ name, current: clean({ averageUtilization, averageValue: currentAverageValue }), container });
    case 'pods':
      return { metric, current: { averageValue: currentAverageValue } };
    case 'object':
      return clean({ metric, current: clean({ value: currentValue, averageValue }), describedObject });
    default:
      return { metric, current: clean({ value: currentValue, averageValue: currentAverageValue }) };
  }
}

const clean = (object: object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** The annotation has Behaviour as Kubernetes' internal type, with Go's names. */
const internalBehavior = (b: HorizontalPodAutoscalerBehavior) => ({
  ScaleUp: internalRules(b.scaleUp),
  ScaleDown: internalRules(b.scaleDown),
});
const internalRules = (rules: HPAScalingRules | undefined) =>
  rules
    ? {
        StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
        SelectPolicy: rules.selectPolicy ?? null,
        Policies: (rules.policies ?? []).map((p: HPAScalingPolicy) => ({
          Type: p.type,
          Value: p.value,
          PeriodSeconds: p.periodSeconds,
        })),
        Tolerance: rules.tolerance ?? null,
      }
    : null;
function publicBehavior(value: unknown) {
  const { ScaleUp, ScaleDown } = fieldsIn(value);
  return clean({ scaleUp: publicRules(ScaleUp), scaleDown: publicRules(ScaleDown) });
}
function publicRules(value: unknown) {
  if (!value) return undefined;
  const { StabilizationWindowSeconds, SelectPolicy, Policies, Tolerance } = fieldsIn(value);
  return clean({
    stabilizationWindowSeconds: StabilizationWindowSeconds ?? undefined,
    selectPolicy: SelectPolicy ?? undefined,
    policies: listOf(Policies).map((policy) => {
      const { Type, Value, PeriodSeconds } = fieldsIn(policy);
      return { type: Type, value: Value, periodSeconds: PeriodSeconds };
    }),
    tolerance: Tolerance ?? undefined,
  });
}
