// The inputs of every provider.

export interface ProviderConfig {
  /** Path of its configuration file; '' for none. */
  readonly cloudConfig: string;
  /** Of the cluster, among those of one cloud. */
  readonly clusterName: string;
}
