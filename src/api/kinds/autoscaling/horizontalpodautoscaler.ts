import { fieldsIn } from '../../../machinery/parsed.ts';
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  AutoscalingV1HorizontalPodAutoscaler as V1,
} from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { autoscalerStatus, validateAutoscaler } from '../../validation/autoscaler.ts';
import { fromV2, toV2 } from './v1.ts';

const unknown = '<unknown>';
const shownMetrics = 2;

const cells: KindBehaviour<HorizontalPodAutoscaler>['cells'] = {
  Reference: (h) => `${h.spec?.scaleTargetRef?.kind}/${h.spec?.scaleTargetRef?.name}`,
  Targets: (h) => {
    const metrics = h.spec?.metrics ?? [];
    if (!metrics.length) return '<none>';
    const texts = metrics.slice(0, shownMetrics).map((metric, i) => metricText(metric, h.status?.currentMetrics?.[i]));
    const more = metrics.length - shownMetrics;
    return `${texts.join(', ')}${more > 0 ? ` + ${more} more...` : ''}`;
  },
  MinPods: (h) => (h.spec?.minReplicas === undefined ? '<unset>' : String(h.spec.minReplicas)),
  MaxPods: (h) => h.spec?.maxReplicas ?? 0,
  Replicas: (h) => h.status?.currentReplicas ?? 0,
};

function metricText(metric: MetricSpec, current: MetricStatus | undefined): string {
  const key = metric.type[0].toLowerCase() + metric.type.slice(1);
  const { target: wanted, name } = fieldsIn(fieldsIn(metric)[key]);
  const target = fieldsIn(wanted);
  const status = fieldsIn(current)[key];
  const now = fieldsIn(fieldsIn(status)['current']);
  /** A reported metric without the value is shown as Go shows a nil pointer. */
  const quantity = (value: unknown) => value ?? (status ? '<nil>' : unknown);
  const isResource = metric.type === 'Resource' || metric.type === 'ContainerResource';
  const prefix = isResource ? `${name}: ` : '';
  if (target.averageValue !== undefined || metric.type === 'Pods') {
    const isAverage = metric.type === 'Object' || metric.type === 'External';
    if (isAverage) return `${now.averageValue ?? unknown}/${target.averageValue} (avg)`;
    return `${prefix}${quantity(now.averageValue)}/${target.averageValue ?? '<nil>'}`;
  }
  if (!isResource) return `${quantity(now.value)}/${target.value ?? '<nil>'}`;
  const percent = (value: unknown, otherwise: string) => (value === undefined ? otherwise : `${value}%`);
  return `${prefix}${percent(now.averageUtilization, unknown)}/${percent(target.averageUtilization, '<auto>')}`;
}

function setDefaults(h: HorizontalPodAutoscaler): void {
  const spec = (h.spec ??= {} as HorizontalPodAutoscaler['spec']);
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length)
    spec.metrics = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
    ];
  const { behavior } = spec;
  if (!behavior) return;
  // https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior
  behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...behavior.scaleUp,
  };
  behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...behavior.scaleDown,
  };
}

export const horizontalPodAutoscaler: KindBehaviour<HorizontalPodAutoscaler> = {
  cells,
  strategy: {
    setDefaults,
    validate: (h) => validateAutoscaler(h),
    validateUpdate: validateAutoscaler,
    subresources: { status: { validateUpdate: ({ status }) => autoscalerStatus(status, 'status') } },
  },
};

const through =
  (change: (h: HorizontalPodAutoscaler) => void) =>
  (object: V1): void => {
    const v2 = toV2(object);
    change(v2);
    const { metadata, spec, status } = fromV2(v2);
    Object.assign(object, { metadata, spec, status });
  };

/** The older version: one CPU target, the rest in annotations. Stored as autoscaling/v2. */
export const horizontalPodAutoscalerV1: KindBehaviour<V1> = {
  storageVersion: 'v2',
  toStorage: toV2,
  fromStorage: fromV2,
  cells: Object.fromEntries(
    Object.entries(cells).map(([name, cell]) => [name, (object: V1, now: number) => cell(toV2(object), now)]),
  ),
  strategy: {
    setDefaults: through(setDefaults),
    validate: (object) => validateAutoscaler(toV2(object)),
    validateUpdate: (next, old) => validateAutoscaler(toV2(next), toV2(old)),
    subresources: { status: { validateUpdate: ({ status }) => autoscalerStatus(status, 'status') } },
  },
};
