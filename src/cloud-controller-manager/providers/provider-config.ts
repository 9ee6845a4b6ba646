// The inputs of every provider.

export interface ProviderConfig {
  /** Path of its configuration file; '' for none. */
  readonly cloudConfig: string;
  /** Of the cluster, among those of one cloud. */
  readonly clusterName: string;
  /** False once another process may lead: a cloud must not get requests of two leaders. */
  readonly holdsLead: () => boolean;
}
