import type { ApiError } from '../../api/api.ts';
import { plainError } from '../status.ts';

/** Throws the faults, if any: several faults lose code and reason, as in Kubernetes. */
export function joinFaults(faults: readonly ApiError[]): void {
  const [first, ...others] = faults;
  if (!first) return;
  if (!others.length) throw first;
  throw plainError(`[${[...new Set(faults.map(({ message }) => message))].join(', ')}]`);
}
