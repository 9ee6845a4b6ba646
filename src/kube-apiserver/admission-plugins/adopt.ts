import type { ApiObject, Kind } from '../../api/api.ts';
import { fieldsOf } from '../../machinery/parsed.ts';
import { inOrder } from '../registry/codec.ts';
import { plainError } from '../status.ts';

interface Adoption {
  /** For a custom resource in another version than the request's: that version's fields must survive. */
  readonly keepsUnknown?: boolean;
}

/** No larger object can be stored: policies and webhooks that add to one another's changes stop here. */
const mostBytes = 3 << 20;
/** Of an item besides its text. */
const bytesOfItem = 4;

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + bytesOfItem;
  if (typeof value !== 'object' || value === null) return bytesOfItem;
  let size = bytesOfItem;
  for (const [key, item] of Object.entries(value)) size += key.length + sizeOf(item);
  return size;
}

/** Takes over the changes of a policy or webhook, in place, with defaults. Returns about the size of the object. */
export function adopt(kind: Kind, object: ApiObject, changed: ApiObject, { keepsUnknown }: Adoption = {}): number {
  const size = sizeOf(changed);
  if (size > mostBytes) throw plainError('etcdserver: request is too large');
  const { name, namespace, uid, managedFields } = object.metadata;
  const identity = { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) };
  const complete = { ...changed, metadata: { ...changed.metadata, ...identity } };
  const next = keepsUnknown ? complete : inOrder(kind, complete);
  kind.strategy.setDefaults?.(next);
  for (const field of Object.keys(object)) delete fieldsOf(object)[field];
  Object.assign(object, next);
  if (managedFields) object.metadata.managedFields = managedFields;
  return size;
}
