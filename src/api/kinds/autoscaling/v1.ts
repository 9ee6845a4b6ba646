// autoscaling/v1 has one metric, the share of CPU. Other fields of a v2 object are kept in annotations.

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
    ...(parsed[metrics] ?? []).map(fromOldMetric),
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
      ...(parsed[behavior] && { behavior: publicBehavior(parsed[behavior]) }),
    },
    status: {
      observedGeneration: status.observedGeneration,
      lastScaleTime: status.lastScaleTime,
      currentReplicas: status.currentReplicas,
      desiredReplicas: status.desiredReplicas,
      ...(parsed[conditions] && { conditions: parsed[conditions] }),
    },
  };
  return tidy(v2, 'v2');
}

function parse(text: string | undefined): any {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

const tidy = (object: ApiObject, version: 'v1' | 'v2') =>
  canonical(schemaNamed(`io.k8s.api.autoscaling.${version}.HorizontalPodAutoscaler`), object);

/** The annotation has metrics in the form of v2beta1: the target's fields are beside the name. */
function toOldMetric(metric: any): any {
  const { type } = metric;
  const key = type[0].toLowerCase() + type.slice(1);
  const source = metric[key] ?? {};
  const { target = {} } = source;
  switch (type) {
    case 'Resource':
    case 'ContainerResource':
      return {
        type,
        [key]: clean({
          name: source.name,
          targetAverageUtilization: target.averageUtilization,
          targetAverageValue: target.averageValue,
          container: source.container,
        }),
      };
    case 'Pods':
      return {
        type,
        pods: clean({
          metricName: source.metric?.name,
          targetAverageValue: target.averageValue,
          selector: source.metric?.selector,
        }),
      };
    case 'Object':
      return {
        type,
        object: clean({
          target: source.describedObject,
          metricName: source.metric?.name,
          targetValue: target.value ?? '0',
          selector: source.metric?.selector,
          averageValue: target.averageValue,
        }),
      };
    default:
      return {
        type,
        external: clean({
          metricName: source.metric?.name,
          metricSelector: source.metric?.selector,
          targetValue: target.value,
          targetAverageValue: target.averageValue,
        }),
      };
  }
}

function fromOldMetric(metric: any): any {
  const { type } = metric;
  const key = type[0].toLowerCase() + type.slice(1);
  const s = metric[key] ?? {};
  const average = s.targetAverageValue ?? s.averageValue;
  const target = clean({
    type: s.targetAverageUtilization !== undefined ? 'Utilization' : average !== undefined ? 'AverageValue' : 'Value',
    value: average === undefined ? s.targetValue : undefined,
    averageValue: average,
    averageUtilization: s.targetAverageUtilization,
  });
  if (type === 'Resource' || type === 'ContainerResource')
    return { type, [key]: clean({ name: s.name, target, container: s.container }) };
  const named = { metric: clean({ name: s.metricName, selector: s.selector ?? s.metricSelector }), target };
  return { type, [key]: type === 'Object' ? { describedObject: s.target, ...named } : named };
}

function toOldStatus(metric: any): any {
  const key = metric.type[0].toLowerCase() + metric.type.slice(1);
  const { current = {}, name } = metric[key] ?? {};
  return {
    type: metric.type,
    [key]: clean({
      name: name ?? metric[key]?.metric?.name,
      currentAverageUtilization: current.averageUtilization,
      currentAverageValue: current.averageValue,
      currentValue: current.value,
    }),
  };
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
        policies: (rules.Policies ?? []).map((p: any) => ({
          type: p.Type,
          value: p.Value,
          periodSeconds: p.PeriodSeconds,
        })),
        tolerance: rules.Tolerance ?? undefined,
      })
    : undefined;
