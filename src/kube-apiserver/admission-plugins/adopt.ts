import type { ApiObject, Kind } from '../../api/api.ts';
import { inOrder } from '../registry/codec.ts';

/** Makes `object` what a policy or webhook made of it, in place: with defaults, and still the same object. */
export function adopt(kind: Kind, object: ApiObject, changed: ApiObject): void {
  const { name, namespace, uid, managedFields } = object.metadata;
  const identity = { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) };
  const next = inOrder(kind, { ...changed, metadata: { ...changed.metadata, ...identity } });
  kind.strategy.setDefaults?.(next);
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, next);
  if (managedFields) object.metadata.managedFields = managedFields;
}
