import type { Pod } from '../../api/api.ts';
import type { AdmissionAttributes } from '../admission.ts';

/** Whether the request is about an object of this resource itself, and not about a subresource. */
export const isAbout = ({ kind, subresource }: AdmissionAttributes, group: string, resource: string): boolean =>
  kind.group === group && kind.resource === resource && !subresource;

/** The pod that a request creates or changes; undefined for other requests, and for subresources. */
export function writtenPod(attributes: AdmissionAttributes): Pod | undefined {
  const { operation, object } = attributes;
  const isWrite = operation === 'CREATE' || operation === 'UPDATE';
  return isWrite && isAbout(attributes, '', 'pods') ? (object as Pod | undefined) : undefined;
}

interface Placed<T> {
  readonly container: T;
  readonly path: string;
}
type AnyContainer = { image?: string | undefined; imagePullPolicy?: string | undefined };

/** Init, regular and ephemeral containers, in the order in which Kubernetes visits them. */
export function* containersOf({ spec }: Pick<Pod, 'spec'>): Generator<Placed<AnyContainer>> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const)
    for (const [index, container] of (spec?.[field] ?? []).entries())
      yield { container, path: `spec.${field}[${index}]` };
}
