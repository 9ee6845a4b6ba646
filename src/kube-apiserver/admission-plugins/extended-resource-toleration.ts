import { isExtendedResource, type Toleration } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { writtenPod } from './subject.ts';

/**
 * Nodes with rare devices are tainted with the devices' names: pods that request one tolerate it.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#extendedresourcetoleration
 */
export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  admit(attributes) {
    const pod = writtenPod(attributes);
    if (!pod) return;
    const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
    const asked = containers.flatMap(({ resources }) => Object.keys(resources?.requests ?? {}));
    for (const key of [...new Set(asked.filter(isExtendedResource))].sort())
      pod.spec.tolerations = withToleration(pod.spec.tolerations ?? [], {
        key,
        operator: 'Exists',
        effect: 'NoSchedule',
      });
  },
};

/** One that differs in its time alone is replaced. */
function withToleration(tolerations: Toleration[], added: Toleration): Toleration[] {
  const isSame = ({ key, operator, value = '', effect }: Toleration) =>
    key === added.key && operator === added.operator && value === '' && effect === added.effect;
  if (!tolerations.some(isSame)) return [...tolerations, added];
  return tolerations.map((one) => (isSame(one) && !deepEqual(one, added) ? added : one));
}
