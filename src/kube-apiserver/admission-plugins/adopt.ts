import type { ApiObject, Kind } from '../../api/api.ts';
import { fieldsOf } from '../../machinery/parsed.ts';
import { inOrder } from '../registry/codec.ts';

interface Adoption {
  /** For a custom resource in another version than the request's: that version's fields must survive. */
  readonly keepsUnknown?: boolean;
}

/** Takes over the changes of a policy or webhook, in place, with defaults. */
export function adopt(kind: Kind, object: ApiObject, changed: ApiObject, { keepsUnknown }: Adoption = {}): void {
  const { name, namespace, uid, managedFields } = object.metadata;
  const identity = { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) };
  const complete = { ...changed, metadata: { ...changed.metadata, ...identity } };
  const next = keepsUnknown ? complete : inOrder(kind, complete);
  kind.strategy.setDefaults?.(next);
  for (const field of Object.keys(object)) delete fieldsOf(object)[field];
  Object.assign(object, next);
  if (managedFields) object.metadata.managedFields = managedFields;
}
