// The options of the horizontal pod autoscaler, by kube-controller-manager's flags.

import type { AutoscalerConfig } from '../../kube-controller-manager/kube-controller-manager.ts';
import { formatDuration, parseDuration } from '../../machinery/time/duration.ts';
import { SettingError } from './setting-values.ts';

const prefix = 'horizontal-pod-autoscaler';

/** `usual`: as Kubernetes has it. A value of zero would not make sense, but for delays. */
const duration = (name: string, help: string, usual: string, least: 0 | 1 = 0) => ({
  flag: `${prefix}-${name}`,
  argument: '<duration>',
  help: `${help}; by default ${usual}`,
  default: undefined as number | undefined,
  read(value: string): number | undefined {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= least) return ms;
    throw new SettingError('Give a duration, such as 15s or 5m.');
  },
  format: (ms: number | undefined) => (ms === undefined ? '' : formatDuration(ms)),
});

export const autoscalerSettings = {
  autoscalerSyncPeriod: duration('sync-period', 'time between two looks at an autoscaler', '15s', 1),
  autoscalerDownscaleStabilization: duration(
    'downscale-stabilization',
    'time for which an autoscaler keeps its highest recommendation',
    '5m',
  ),
  autoscalerCpuInitializationPeriod: duration(
    'cpu-initialization-period',
    'time after the start of a pod in which its CPU usage may not count',
    '5m',
  ),
  autoscalerInitialReadinessDelay: duration(
    'initial-readiness-delay',
    'time after the start of a pod in which it counts as not ready for the first time',
    '30s',
  ),
  autoscalerTolerance: {
    flag: `${prefix}-tolerance`,
    argument: '<ratio>',
    help: 'deviation from the target value that an autoscaler accepts; by default 0.1',
    default: undefined as number | undefined,
    read(value: string): number | undefined {
      const ratio = Number(value);
      if (value.trim() && ratio >= 0 && Number.isFinite(ratio)) return ratio;
      throw new SettingError('Give a number that is not negative, such as 0.1.');
    },
  },
};

type Values = { readonly [Name in keyof typeof autoscalerSettings]: number | undefined };

export const autoscalerConfig = (values: Values): AutoscalerConfig =>
  Object.fromEntries(
    Object.entries({
      syncPeriodMs: values.autoscalerSyncPeriod,
      downscaleStabilizationMs: values.autoscalerDownscaleStabilization,
      cpuInitializationMs: values.autoscalerCpuInitializationPeriod,
      initialReadinessMs: values.autoscalerInitialReadinessDelay,
      tolerance: values.autoscalerTolerance,
    }).filter(([, value]) => value !== undefined),
  );
