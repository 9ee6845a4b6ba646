// Objects as rows. https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables

import { type ApiObject, badRequest, type Kind } from '../../api/api.ts';
import type { As } from './media-type.ts';

/** The object in a row beside its cells. */
type IncludeObject = 'Metadata' | 'Object' | 'None';

export function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value === 'Metadata' || value === 'Object' || value === 'None') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export interface TableOptions {
  readonly as: As;
  readonly include: IncludeObject;
  /** Milliseconds since the epoch, for ages. */
  readonly now: number;
  /** False: columnDefinitions are left out, as in all but the first event of a watch. */
  readonly columns: boolean;
}

export function table(kind: Kind, objects: readonly ApiObject[], metadata: object, options: TableOptions): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.as.version}`,
    metadata,
    columnDefinitions: options.columns ? kind.columns : null,
    rows: objects.map((object) => row(kind, object, options)),
  };
}

export function row(kind: Kind, object: ApiObject, { include, now, as }: TableOptions): object {
  const conditions = kind.rowConditions?.(object);
  return {
    cells: kind.cells(object, now),
    ...(conditions && { conditions }),
    object: include === 'None' ? null : include === 'Object' ? object : partial(object, `meta.k8s.io/${as.version}`),
  };
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches */
export const partial = ({ metadata }: ApiObject, apiVersion = 'meta.k8s.io/v1'): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion,
  metadata: shown(metadata),
});
/** Kubernetes omits this annotation of daemon sets in tables and metadata. */
const hidden = 'deprecated.daemonset.template.generation';

function shown(metadata: ApiObject['metadata']): object {
  if (metadata.annotations?.[hidden] === undefined) return metadata;
  const { [hidden]: _, ...annotations } = metadata.annotations;
  return { ...metadata, annotations: Object.keys(annotations).length ? annotations : undefined };
}
