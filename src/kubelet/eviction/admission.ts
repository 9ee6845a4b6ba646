// Which new pods a node under pressure takes.

import { type Pod, type Taint, tolerates } from '../../api/api.ts';
import { qosOf } from '../resources/resources.ts';
import { isCritical } from './critical.ts';
import type { PressureCondition } from './thresholds.ts';

const memoryTaint: Taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };

/** The reason for refusal, in Kubernetes' words; undefined if admitted. */
export function refuseUnderPressure(
  pod: Pod,
  conditions: ReadonlySet<PressureCondition>,
): { reason: 'Evicted'; message: string } | undefined {
  if (conditions.size === 0 || isCritical(pod)) return undefined;
  if (conditions.size === 1 && conditions.has('MemoryPressure'))
    if (qosOf(pod) !== 'BestEffort' || tolerates(pod.spec.tolerations, memoryTaint)) return undefined;
  return { reason: 'Evicted', message: `The node had condition: [${[...conditions].join(' ')}]. ` };
}
