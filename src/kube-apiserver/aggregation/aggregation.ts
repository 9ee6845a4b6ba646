// APIs that other servers answer, as the pipeline knows them.

export interface AggregatedApi {
  /** Of the APIService: version.group. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  /** PEM of the CA that the server's certificate must come from; undefined: the system's. */
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

/** Discovery and OpenAPI documents of those servers, kept until they change. */
export interface AggregatedDocuments {
  /** Resources of the API; `Stale` and without any when its server does not answer. */
  discovery(api: AggregatedApi): Promise<VersionDiscovery>;
  /** The hash of its OpenAPI v3 document; undefined when it has none. */
  openapiHash(api: AggregatedApi): Promise<string | undefined>;
  /** Its OpenAPI v2 document. */
  openapiV2(api: AggregatedApi): Promise<any | undefined>;
}

export interface Aggregation {
  /** Most clusters have none: then a request need not be looked at. */
  readonly size: number;
  find(group: string, version: string): AggregatedApi | undefined;
  all(): readonly AggregatedApi[];
  readonly documents: AggregatedDocuments;
}
