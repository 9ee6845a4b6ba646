// Resources that a component computes for each read, as the API server serves them.

import type { Column, KubeObject } from './kind.ts';

interface ComputedColumn extends Pick<Column, 'name' | 'type' | 'description'> {
  cell(object: KubeObject): unknown;
}

/** Reads objects that are computed for each request. */
export interface ObjectReader {
  /**
   * The object of that name, or, without a name, all objects of the namespace ('': of all namespaces). Rejects with an
   * ApiError if the named object does not exist. The caller may change the objects.
   */
  read(namespace: string, name: string): Promise<readonly KubeObject[]>;
}

export interface ComputedResource extends ObjectReader {
  readonly group: string;
  readonly version: string;
  /** The plural, as in URLs. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** OpenAPI v3 schema of an object. */
  readonly schema: object;
  /** Beside the name. */
  readonly columns: readonly ComputedColumn[];
}
