// Status rules shared by both kinds of flow control.

import type { ApiObject } from '../kind.ts';
import { all, each, need, struct, unique } from './rules.ts';

/** Each type once. */
export const flowConditions = all(
  unique(({ type }: { type?: string }) => type ?? '', '.type'),
  each(struct({ type: need() })),
);

/** /status does not change metadata. */
export function keepMetadata(next: ApiObject, old: ApiObject): void {
  const { managedFields, resourceVersion } = next.metadata;
  next.metadata = { ...old.metadata, managedFields, resourceVersion };
}
