// autoscaling/v1 has one metric, the share of CPU. Other fields of a v2 object are kept in annotations.

import { compareQuantities } from '../../../machinery/quantity.ts';
import { canonical } from '../../decode.ts';
import type { ApiObject } from '../../kind.ts';
import { schemaNamed } from '../../schemas.ts';

const metrics = 'autoscaling.alpha.kubernetes.io/metrics';
const currentMetrics = 'autoscaling.alpha.kubernetes.io/current-metrics';
const conditions = 'autoscaling.alpha.kubernetes.io/conditions';
const behavior = 'autoscaling.alpha.kubernetes.io/behavior';
const all = [metrics, currentMetrics, conditions, behavior];

const isCpu = (metric: any) =>
  metric?.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target?.averageUtilization !== undefined;

export function fromV2(object: ApiObject): ApiObject {
  const { spec = {}, status = {} } = object;
  const list: any[] = spec.metrics ?? [];
  const cpu = list.find(isCpu);
  const rest = list.filter((metric) => metric !== cpu);
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  for (const key of all) delete annotations[key];
  if (rest.length) annotations[metrics] = JSON.stringify(rest.map(toOldMetric));
  if (spec.behavior) annotations[behavior] = JSON.stringify(internalBehavior(spec.behavior));
  if (status.conditions?.length) annotations[conditions] = JSON.stringify(status.conditions);
  const current: any[] = status.currentMetrics ?? [];
  if (current.length) annotations[currentMetrics] = JSON.stringify(current.map(toOldStatus));
  const { annotations: _, ...metadata } = object.metadata;
  const used = current.find((metric) => metric.type === 'Resource' && metric.resource?.name === 'cpu');
  const v1: ApiObject = {
    kind: object.kind,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(annotations).length && { annotations }) } as ApiObject['metadata'],
    spec: {
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      targetCPUUtilizationPercentage: cpu?.resource.target.averageUtilization,
    },
    status: {
      observedGeneration: status.observedGeneration,
      lastScaleTime: status.lastScaleTime,
      currentReplicas: status.currentReplicas,
      desiredReplicas: status.desiredReplicas,
      currentCPUUtilizationPercentage: used?.resource.current?.averageUtilization,
    },
  };
  return tidy(v1, 'v1');
}

export function toV2(object: ApiObject): ApiObject {
  const { spec = {}, status = {} } = object;
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
  const { annotations: _, ...metadata } = object.metadata;
  const v2: ApiObject = {
    kind: object.kind,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length && { annotations }) } as ApiObject['metadata'],
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
    },
  };
  return tidy(v2, 'v2');
}

/** Lists of objects; anything else in an annotation is ignored. */
const listOf = (value: unknown): any[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'object' && !Array.isArray(item)) ? value : [];
const hasRules = (value: any): boolean => Boolean(value?.ScaleUp || value?.ScaleDown);

function parse(text: string | undefined): any {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

const tidy = (object: ApiObject, version: 'v1' | 'v2') =>
  canonical(schemaNamed(`io.k8s.api.autoscaling.${version}.HorizontalPodAutoscaler`), object);

const sources = ['object', 'pods', 'resource', 'containerResource', 'external'] as const;
type Source = (typeof sources)[number];

/** Converts the sources that a metric has: one, unless the annotation was written by hand. */
const eachSource = (metric: any, convert: (source: any, key: Source) => unknown): any => ({
  type: metric?.type ?? '',
  ...Object.fromEntries(sources.filter((key) => metric?.[key]).map((key) => [key, convert(metric[key], key)])),
});

/** The annotation has metrics in the form of v2beta1: the target's fields are beside the name. */
const toOldMetric = (metric: any) => eachSource(metric, toOldSource);

function toOldSource({ name, container, metric, describedObject, target = {} }: any, key: Source): unknown {
  const { name: metricName, selector } = metric ?? {};
  const { value, averageValue, averageUtilization } = target;
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

const fromOldMetric = (metric: any) => eachSource(metric, fromOldSource);

function fromOldSource(s: any, key: Source): unknown {
  if (key === 'resource' || key === 'containerResource')
    return clean({ name: s.name, target: fromOldTarget(s, key), container: s.container });
  const metric = clean({ name: s.metricName, selector: s.selector ?? s.metricSelector });
  return clean({ describedObject: s.target, metric, target: fromOldTarget(s, key) });
}

function fromOldTarget(s: any, key: Source): unknown {
  const { targetValue, targetAverageValue, targetAverageUtilization, averageValue } = s;
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

function toOldStatus(metric: any): any {
  return eachSource(metric, ({ current = {}, name, metric: identifier }) => ({
    ...clean({
      name: name ?? identifier?.name,
      currentAverageUtilization: current.averageUtilization,
      currentAverageValue: current.averageValue,
      currentValue: current.value,
    }),
  }));
}

const clean = (object: any) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** The annotation has Behaviour as Kubernetes' internal type, with Go's names. */
const internalBehavior = (b: any) => ({ ScaleUp: internalRules(b.scaleUp), ScaleDown: internalRules(b.scaleDown) });
const internalRules = (rules: any) =>
  rules
    ? {
        StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
        SelectPolicy: rules.selectPolicy ?? null,
        Policies: (rules.policies ?? []).map((p: any) => ({
          Type: p.type,
          Value: p.value,
          PeriodSeconds: p.periodSeconds,
        })),
        Tolerance: rules.tolerance ?? null,
      }
    : null;
const publicBehavior = (b: any) => clean({ scaleUp: publicRules(b.ScaleUp), scaleDown: publicRules(b.ScaleDown) });
const publicRules = (rules: any) =>
  rules
    ? clean({
        stabilizationWindowSeconds: rules.StabilizationWindowSeconds ?? undefined,
        selectPolicy: rules.SelectPolicy ?? undefined,
        policies: listOf(rules.Policies).map((p: any) => ({
          type: p.Type,
          value: p.Value,
          periodSeconds: p.PeriodSeconds,
        })),
        tolerance: rules.Tolerance ?? undefined,
      })
    : undefined;
