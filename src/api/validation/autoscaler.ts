// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/

import { compareQuantities } from '../../machinery/quantity.ts';
import { dns1123LabelFaults, pathSegmentFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, invalidValues, notSupported, required } from '../fields.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingPolicy,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../generated/types.ts';
import { validateContainerResourceName } from './pod/resources.ts';
import { atLeast, each, needed, notNegative, oneOfThese, positive, type Rule, set, struct, text } from './rules.ts';

const longestPeriodS = 1800;
const longestWindowS = 3600;

/** `old`: the old autoscaler, whose zero replicas and invalid target versions may stay. */
export function validateAutoscaler(h: HorizontalPodAutoscaler, old?: HorizontalPodAutoscaler): FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics, behavior } = h.spec ?? ({} as Spec);
  const lowest = old?.spec?.minReplicas === 0 ? 0 : 1;
  const path = 'spec.maxReplicas';
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < lowest)
    errors.push(invalidValue('spec.minReplicas', minReplicas, `must be greater than or equal to ${lowest}`));
  if (maxReplicas === 0) errors.push(required(path, 'must be set and greater than 0'));
  else if (maxReplicas < 0) errors.push(invalidValue(path, maxReplicas, 'must be greater than or equal to 1'));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalidValue(path, maxReplicas, 'must be greater than or equal to `minReplicas`'));
  return [
    ...errors,
    ...validateTarget(scaleTargetRef, old?.spec?.scaleTargetRef),
    ...validateMetrics(metrics ?? [], old?.spec?.metrics ?? [], minReplicas),
    ...behaviorRules(behavior, 'spec.behavior'),
  ];
}

type Spec = NonNullable<HorizontalPodAutoscaler['spec']>;
type Reference = Spec['scaleTargetRef'];
type Versions = 'any' | 'core' | 'grouped';

function validateTarget(target: Reference | undefined, old: Reference | undefined): FieldError[] {
  const { apiVersion, kind } = target ?? ({} as Reference);
  const isSame = old && old.apiVersion === apiVersion && old.kind === kind;
  const versions = isSame ? 'any' : kind === 'ReplicationController' ? 'core' : 'grouped';
  return validateReference(target, 'spec.scaleTargetRef', versions);
}

const segment = needed(text(pathSegmentFaults));
const names = struct({ kind: segment, name: segment });

function validateReference(reference: Reference | undefined, path: string, versions: Versions): FieldError[] {
  const fault = versions === 'any' ? undefined : versionFault(reference?.apiVersion ?? '', versions);
  return [
    ...names(reference ?? {}, path),
    ...(fault ? [invalidValue(`${path}.apiVersion`, reference?.apiVersion ?? '', fault)] : []),
  ];
}

function versionFault(apiVersion: string, versions: Versions): string | undefined {
  const parts = apiVersion.split('/');
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  const isGrouped = parts.length === 2 && parts[0] !== '';
  return versions === 'grouped' && !isGrouped ? 'apiVersion must specify API group' : undefined;
}

function validateMetrics(
  metrics: readonly MetricSpec[],
  old: readonly MetricSpec[],
  minReplicas?: number,
): FieldError[] {
  const path = 'spec.metrics';
  const wasOdd = old.some(
    ({ type, object }) => type === 'Object' && object && versionFault(object.describedObject?.apiVersion ?? '', 'core'),
  );
  const errors = metrics.flatMap((metric, i) => validateMetric(metric, `${path}[${i}]`, wasOdd ? 'any' : 'core'));
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    errors.push(
      forbiddenField(path, 'must specify at least one Object or External metric to support scaling to zero replicas'),
    );
  return errors;
}

type Field = 'containerResource' | 'external' | 'object' | 'pods' | 'resource';

const typeOf: Readonly<Record<Field, string>> = {
  object: 'Object',
  external: 'External',
  pods: 'Pods',
  resource: 'Resource',
  containerResource: 'ContainerResource',
};
const fields = Object.keys(typeOf) as Field[];
const types = Object.values(typeOf).sort();

function validateMetric(metric: MetricSpec, path: string, versions: Versions): FieldError[] {
  const type: string = metric.type ?? '';
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, 'must specify a metric source type'));
  const unknown = types.includes(type) ? [] : [notSupported(`${path}.type`, type, types)];
  errors.push(...unknown);
  const given = fields.filter((field) => metric[field]);
  const source = metric[given[0]];
  if (source) errors.push(...validateSource(source, `${path}.${given[0]}`, given[0], versions));
  const expected = fields.find((field) => typeOf[field] === type);
  // Kubernetes reports it twice.
  errors.push(...unknown);
  if (expected && !metric[expected])
    errors.push(required(`${path}.${expected}`, 'must populate information for the given metric source'));
  if (given.length !== 1)
    for (const field of given)
      if (field !== expected)
        errors.push(forbiddenField(`${path}.${field}`, 'must populate the given metric source only'));
  return errors;
}

const sign = (value: string) => compareQuantities(value, 0);
const positiveQuantity: Rule = set((value: string, path) =>
  sign(value) > 0 ? [] : [invalidValue(path, value, 'must be positive')],
);

const target: Rule = struct({
  type: (type: string | undefined = '', path) => [
    ...(type ? [] : [required(path, 'must specify a metric target type')]),
    ...(['Utilization', 'Value', 'AverageValue'].includes(type)
      ? []
      : [invalidValue(path, type, 'must be either Utilization, Value, or AverageValue')]),
  ],
  value: positiveQuantity,
  averageValue: positiveQuantity,
  averageUtilization: set(atLeast(1, 'must be greater than 0')),
});

const identifier: Rule = ({ name }: Partial<MetricIdentifier>, path) =>
  name
    ? invalidValues(`${path}.name`, name, pathSegmentFaults(name))
    : [required(`${path}.name`, 'must specify a metric name')];

/** Fields of all sources. */
interface Source {
  readonly name?: string;
  readonly container?: string;
  readonly describedObject?: CrossVersionObjectReference;
  readonly metric?: MetricIdentifier;
  readonly target?: MetricTarget;
}

function validateSource(source: Source, path: string, field: Field, versions: Versions): FieldError[] {
  const isNamed = field === 'resource' || field === 'containerResource';
  return [
    ...(field === 'object' ? validateReference(source.describedObject, `${path}.describedObject`, versions) : []),
    ...(isNamed ? validateResource(source, path, field) : identifier(source.metric ?? {}, `${path}.metric`)),
    ...target(source.target ?? {}, `${path}.target`),
    ...validateAmounts(source.target ?? {}, `${path}.target`, field),
  ];
}

function validateResource({ name, container }: Source, path: string, field: Field): FieldError[] {
  if (!name) {
    const errors = [required(`${path}.name`, 'must specify a resource name')];
    return field === 'resource' ? errors : [...errors, ...validateContainer(container, path)];
  }
  if (field === 'resource') return [];
  return [...validateContainerResourceName(name, `${path}.name`), ...validateContainer(container, path)];
}

const validateContainer = (container: string | undefined, path: string): FieldError[] =>
  container
    ? invalidValues(`${path}.container`, container, dns1123LabelFaults(container))
    : [required(`${path}.container`, 'must specify a container')];

/** The required and mutually exclusive amounts of a metric type. */
function validateAmounts(
  { value, averageValue, averageUtilization }: Partial<MetricTarget>,
  path: string,
  field: Field,
): FieldError[] {
  const at = `${path}.averageValue`;
  switch (field) {
    case 'object':
      return value === undefined && averageValue === undefined
        ? [required(at, 'must set either a target value or averageValue')]
        : [];
    case 'external':
      if (value === undefined && averageValue === undefined)
        return [required(at, 'must set either a target value for metric or a per-pod target')];
      return value !== undefined && averageValue !== undefined
        ? [forbiddenField(`${path}.value`, 'may not set both a target value for metric and a per-pod target')]
        : [];
    case 'pods':
      return averageValue === undefined ? [required(at, 'must specify a positive target averageValue')] : [];
    default:
      if (averageUtilization === undefined && averageValue === undefined)
        return [required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')];
      return averageUtilization !== undefined && averageValue !== undefined
        ? [forbiddenField(at, 'may not set both a target raw value and a target utilization')]
        : [];
  }
}

const atMost =
  (most: number): Rule =>
  (value: number, path) =>
    value > most ? [invalidValue(path, value, `must be less than or equal to ${most}`)] : [];

const policy = struct({
  type: oneOfThese('Percent', 'Pods'),
  value: positive,
  periodSeconds: [positive, atMost(longestPeriodS)],
});

const scalingRules = struct({
  stabilizationWindowSeconds: set(atLeast(0, 'must be greater than or equal to zero'), atMost(longestWindowS)),
  selectPolicy: set(oneOfThese('Disabled', 'Max', 'Min')),
  policies: (policies: readonly HPAScalingPolicy[] | undefined, path) =>
    policies?.length ? each(policy)(policies, path) : [required(path, 'must specify at least one Policy')],
  tolerance: set((value: string, path) =>
    sign(value) < 0 ? [invalidValue(path, value, 'must be greater than or equal to 0')] : [],
  ),
});

const behaviorRules = struct({ scaleUp: scalingRules, scaleDown: scalingRules });

export const autoscalerStatus = struct({ currentReplicas: notNegative, desiredReplicas: notNegative });
