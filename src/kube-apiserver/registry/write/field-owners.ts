// Field ownership: metadata.managedFields of a write.

import type { ApiObject, Kind } from '../../../api/api.ts';
import { updatingManagedFields } from '../../../machinery/fields/managed-fields.ts';
import { inSteps, isLarge } from '../../heavy.ts';
import { trackElsewhere } from '../../threads/large-objects.ts';
import { timestamp } from '../../timestamp.ts';
import { apiVersionOf } from '../codec.ts';
import type { Operation } from '../operation.ts';

/** Fields that an endpoint does not write, and whose owners therefore stay. */
export function resetFields(kind: Kind, subresource: string): readonly (readonly string[])[] {
  if (subresource === '') return kind.subresources.some(({ name }) => name === 'status') ? [['status']] : [];
  if (subresource !== 'status') return kind.strategy.subresources?.[subresource]?.resetFields ?? [];
  const others = kind.custom ? [['metadata']] : (kind.strategy.subresources?.status?.resetFields ?? []);
  return [['spec'], ...others];
}

/** The only fields that an endpoint writes; undefined: all but the reset ones. */
export const writtenFields = (kind: Kind, subresource: string) =>
  kind.strategy.subresources?.[subresource]?.writtenFields;

/** Sets metadata.managedFields of `next`; `live` is undefined for a create. */
export async function trackFields(
  { kind, server, subresource, work }: Operation,
  next: ApiObject,
  live: ApiObject | undefined,
  manager: string,
): Promise<void> {
  const write = {
    live,
    next,
    manager,
    ...(subresource && { subresource }),
    apiVersion: apiVersionOf(kind),
    time: timestamp(server.clock.now()),
    schema: kind.schema,
    resetFields: resetFields(kind, subresource),
    writtenFields: writtenFields(kind, subresource),
  };
  // A new object has one owner, whose fields are found in small steps.
  const isWhole = !live && !next.metadata.managedFields?.length;
  const managedFields =
    isLarge(work) && !isWhole
      ? await trackElsewhere(work, kind, write)
      : await inSteps(work, updatingManagedFields({ ...write, isLarge: isLarge(work) }));
  if (managedFields) next.metadata.managedFields = managedFields as ApiObject['metadata']['managedFields'];
  else delete next.metadata.managedFields;
}
