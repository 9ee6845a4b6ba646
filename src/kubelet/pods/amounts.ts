import { type Pod, podRequests } from '../../api/api.ts';
import { bytes, milli } from '../resources/resources.ts';

/** A resource that the pod requests, CPUs in thousandths; and it is one of `pods`. */
export function amountOf(pod: Pod, resource: string): number {
  if (resource === 'pods') return 1;
  const request = podRequests(pod)[resource];
  return resource === 'cpu' ? milli(request) : bytes(request);
}
