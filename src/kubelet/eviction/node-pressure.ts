import type { PressureCondition } from './thresholds.ts';

/** The pressure conditions of the node. The eviction manager sets them; admission and the node's status read them. */
export class NodePressure {
  conditions: ReadonlySet<PressureCondition> = new Set();
}
