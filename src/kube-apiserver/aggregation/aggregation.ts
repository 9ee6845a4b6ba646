// The pipeline's view of aggregated APIs.

export interface AggregatedApi {
  /** Of the APIService: version.group. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  /** PEM of the CA for the server's certificate; undefined: the system's. */
  readonly ca?: string;
  readonly insecure: boolean;
  readonly isAvailable: boolean;
}

/** One version of a group as an APIGroupDiscoveryList has it. */
export interface VersionDiscovery {
  readonly version: string;
  readonly resources: readonly object[];
  readonly freshness: 'Current' | 'Stale';
}

export interface OpenApiV2 {
  readonly paths?: Readonly<Fields>;
  readonly definitions?: Readonly<Fields>;
}

/** Discovery and OpenAPI documents of those servers, cached until they change. */
export interface AggregatedDocuments {
  /** Resources of the API; `Stale` and empty if its server does not respond. */
  discovery(api: AggregatedApi): Promise<VersionDiscovery>;
  /** The hash of its OpenAPI v3 document; undefined when it has none. */
  openapiHash(api: AggregatedApi): Promise<string | undefined>;
  /** Its OpenAPI v2 document. */
  openapiV2(api: AggregatedApi): Promise<OpenApiV2 | undefined>;
}

export interface Aggregation {
  /** Most clusters have none: then requests skip the lookup. */
  readonly size: number;
  find(group: string, version: string): AggregatedApi | undefined;
  all(): readonly AggregatedApi[];
  readonly documents: AggregatedDocuments;
}

import type { Fields } from '../../machinery/parsed.ts';
