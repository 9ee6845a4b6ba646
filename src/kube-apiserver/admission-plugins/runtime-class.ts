import { forbidden, isNotFound, type Pod, type RuntimeClass } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { compareQuantities } from '../../machinery/quantity.ts';
import { pathSegmentFaults } from '../../machinery/text/names.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { plainError } from '../status.ts';

/** Adds the overhead and the node selector of a pod's runtime class. https://kubernetes.io/docs/concepts/containers/runtime-class/ */
export const runtimeClass = (client: () => Client): AdmissionPlugin => {
  const classOf = async ({ spec }: Pod): Promise<RuntimeClass | 'unknown' | undefined> => {
    const name = spec.runtimeClassName;
    if (name === undefined) return undefined;
    const fault = name === '' ? 'resource name may not be empty' : resourceNameFault(name);
    if (fault) throw plainError(fault);
    return client()
      .get('runtimeclasses', { name })
      .catch((error) => (isNotFound(error) ? 'unknown' : Promise.reject(error)));
  };
  const isNewPod = (kind: { group: string; kind: string }, subresource: string, operation: string) =>
    kind.group === '' && kind.kind === 'Pod' && !subresource && operation === 'CREATE';
  return {
    name: 'RuntimeClass',
    async admit({ kind, subresource, operation, name, object }) {
      if (!isNewPod(kind, subresource, operation)) return;
      const pod = object as Pod;
      const found = await classOf(pod);
      if (found === 'unknown')
        throw forbidden(kind, name, `pod rejected: RuntimeClass "${pod.spec.runtimeClassName}" not found`);
      if (!found) return;
      setOverhead(pod, found, (why) => forbidden(kind, name, why));
      setScheduling(pod, found, (why) => forbidden(kind, name, why));
    },
    async validate({ kind, subresource, operation, name, object }) {
      if (!isNewPod(kind, subresource, operation)) return;
      const pod = object as Pod;
      const found = await classOf(pod);
      const fixed = found && found !== 'unknown' ? found.overhead?.podFixed : undefined;
      if (pod.spec.overhead && !fixed)
        throw forbidden(
          kind,
          name,
          'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
        );
      if (fixed && !sameAmounts(fixed, pod.spec.overhead))
        throw forbidden(kind, name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    },
  };
};

/** Kubernetes' client refuses such a name before it asks, so that the request fails without a reason. */
function resourceNameFault(name: string): string | undefined {
  const faults = pathSegmentFaults(name);
  return faults.length > 0 ? `invalid resource name "${name}": [${faults.join(' ')}]` : undefined;
}

type Amounts = Readonly<Record<string, string>>;

const sameAmounts = (a: Amounts, b: Amounts = {}) =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.keys(a).every((key) => b[key] !== undefined && compareQuantities(a[key], b[key]) === 0);

function setOverhead({ spec }: Pod, { overhead }: RuntimeClass, refuse: (why: string) => Error): void {
  const fixed = overhead?.podFixed;
  if (!fixed) return;
  if (spec.overhead && !sameAmounts(fixed, spec.overhead))
    throw refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  spec.overhead = { ...fixed };
}

function setScheduling({ spec }: Pod, { scheduling }: RuntimeClass, refuse: (why: string) => Error): void {
  const selector = scheduling?.nodeSelector ?? {};
  for (const [key, value] of Object.entries(selector)) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value)
      throw refuse(
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
      );
  }
  if (Object.keys(selector).length) spec.nodeSelector = { ...spec.nodeSelector, ...selector };
  const tolerations = spec.tolerations ?? [];
  const missing = (scheduling?.tolerations ?? []).filter((one) => !tolerations.some((own) => deepEqual(own, one)));
  if (missing.length) spec.tolerations = [...tolerations, ...structuredClone(missing)];
}
