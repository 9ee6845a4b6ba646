import type { Pod } from '../../api/api.ts';

/** The cluster depends on pods of this priority; evicted static pods would not come back. */
const criticalPriority = 2_000_000_000;

export const isCritical = ({ spec, metadata }: Pod): boolean =>
  (spec.priority ?? 0) >= criticalPriority || metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
