// The parts of the API server that authenticators, authorizers and admission plugins may use.

import type { KindRegistry } from '../api/api.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Store } from '../store/store.ts';
import type { Authorizer } from './access/authorization.ts';
import type { TokenIssuer } from './access/tokens.ts';
import type { Tracing } from './tracing/tracing.ts';
import type { WatchCache } from './watch-cache/watch-cache.ts';

interface KubeletClient {
  /** PEM: presented to kubelets. */
  readonly cert: string;
  readonly key: string;
  /** PEM: the CA of kubelets' serving certificates; undefined: unchecked, as in Kubernetes. */
  readonly ca?: string;
}

/** Headers in which a front proxy names the user; the first one that is there counts. */
export interface RequestHeaderNames {
  readonly username: readonly string[];
  readonly uid: readonly string[];
  readonly group: readonly string[];
  readonly extraPrefix: readonly string[];
}

export interface FrontProxy {
  /** PEM: clients with a certificate of this CA may set the user in headers. */
  readonly ca: string;
  /** Common names that are accepted; empty for all. */
  readonly allowedNames: readonly string[];
  /** Default: X-Remote-User and the like. */
  readonly headers?: RequestHeaderNames;
}

export interface ServerConfig {
  /** CIDR of the cluster IPs, 10.96.0.0/12 by default. */
  readonly serviceCidr: string;
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly kubeletClient?: KubeletClient;
  /** Types of node addresses in the order in which kubelets are called at them. */
  readonly kubeletAddressTypes: readonly string[];
  readonly frontProxy?: FrontProxy;
  /** PEM: presented to extension API servers. */
  readonly proxyClient?: { readonly cert: string; readonly key: string };
  /** Bytes; Kubernetes takes 3 MB. */
  readonly maxBodyBytes: number;
  /** The time in which a request must arrive; it waits a quarter of it for its turn. */
  readonly requestTimeoutMs: number;
  /** Redirects by extension API servers do not reach clients. */
  readonly refusesRedirects: boolean;
  /** Serves /debug/pprof. */
  readonly profiling: boolean;
  /** Shown by /flagz; left out: there is no such page. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Requests at a time: priority levels share these seats. */
  readonly seats: number;
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
  /** Undefined: requests are not traced. */
  readonly tracing?: Tracing;
  /** Aborts when the server stops: ends watches. */
  readonly stopping: AbortSignal;
}
