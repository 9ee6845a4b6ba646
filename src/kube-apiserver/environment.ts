// The parts of the API server that authenticators, authorizers and admission plugins may use.

import type { KindRegistry } from '../api/api.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Store } from '../store/store.ts';
import type { Authorizer } from './access/authorization.ts';
import type { TokenIssuer } from './access/tokens.ts';
import type { WatchCache } from './watch-cache/watch-cache.ts';

export interface KubeletClient {
  /** PEM: presented to kubelets. */
  readonly cert: string;
  readonly key: string;
  /** PEM: the CA of kubelets' serving certificates; undefined: unchecked, as in Kubernetes. */
  readonly ca?: string;
}

export interface FrontProxy {
  /** PEM: clients with a certificate of this CA may set the user in headers. */
  readonly ca: string;
  /** PEM: presented to extension API servers. */
  readonly cert: string;
  readonly key: string;
  /** Common names that are accepted; empty for all. */
  readonly allowedNames: readonly string[];
}

export interface ServerConfig {
  /** CIDR of the cluster IPs, 10.96.0.0/12 by default. */
  readonly serviceCidr: string;
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly kubeletClient?: KubeletClient;
  /** Mutual authentication between this server and extension API servers. */
  readonly frontProxy?: FrontProxy;
  /** Bytes; Kubernetes takes 3 MB. */
  readonly maxBodyBytes: number;
  /** A watch without timeoutSeconds ends after this long, up to twice as long by chance. */
  readonly minWatchSeconds: number;
}

export interface Environment {
  readonly kinds: KindRegistry;
  readonly store: Store;
  readonly cache: WatchCache;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: ServerConfig;
  readonly authorizers: readonly Authorizer[];
  readonly tokens?: TokenIssuer;
  /** Aborts when the server stops: ends watches. */
  readonly stopping: AbortSignal;
}
