import type { ApiObject } from '../kind.ts';

/** Keeps the metadata of an object in an update of a subresource that does not write it. */
export function keepMetadata(next: ApiObject, old: ApiObject): void {
  const { labels, annotations, finalizers, ownerReferences } = old.metadata;
  next.metadata = { ...next.metadata, labels, annotations, finalizers, ownerReferences };
}
