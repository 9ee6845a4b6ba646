import type { OwnerReference } from '../generated/types.ts';
import type { KubeObject } from '../kind.ts';

/** The owner reference of the object's controller. */
export const controllerOf = ({ metadata }: Pick<KubeObject, 'metadata'>): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller);
