// The room's front door: the API server over a store.

import { KindRegistry } from '../api/api.ts';
import type { Transport } from '../client/client.ts';
import { HealthChecks } from '../machinery/health-checks.ts';
import type { Logger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Store } from '../store/store.ts';
import { type Authenticator, anonymous, clientCertificates } from './access/authentication.ts';
import { type Authorizer, alwaysAllow } from './access/authorization.ts';
import type { TokenIssuer } from './access/tokens.ts';
import type { AdmissionPlugin } from './admission.ts';
import { Aggregator } from './aggregation/aggregator.ts';
import { ServiceAllocator } from './allocation/service-allocator.ts';
import type { Auditor } from './audit/auditor.ts';
import { ComputedResources } from './computed/computed-resources.ts';
import { startCustomResources } from './crd/custom-resources.ts';
import type { Deletion } from './deletions.ts';
import type { ServerConfig } from './environment.ts';
import { Fairness } from './fairness/fairness.ts';
import { type Listener, type ListenOptions, listen } from './http/http-server.ts';
import { inProcess } from './in-process/transport.ts';
import { KeptWrites, type WrittenPlace } from './kept-writes.ts';
import { collectMetrics } from './metrics/collected.ts';
import { storageSeries } from './metrics/storage-metrics.ts';
import type { Refusal } from './refusals.ts';
import { cacheOfResource } from './registry/target.ts';
import type { UserInfo } from './request/user.ts';
import type { Server } from './server.ts';
import type { Site } from './site.ts';
import { storeChecks } from './stages/health.ts';
import { rankOf } from './stages/health-names.ts';
import { userOfToken } from './stages/identify.ts';
import type { Tracing } from './tracing/tracing.ts';
import { type History, type HistoryPlace, historyOf } from './watch-cache/history.ts';
import { WatchCache } from './watch-cache/watch-cache.ts';

export { type AccessChange, type AccessOptions, createAccess } from './access/access.ts';
export type { Attributes } from './access/authorization.ts';
export { type AuthorizerEntry, parseAuthorizationConfiguration } from './access/authorization-configuration.ts';
export { AccessConfigurationError } from './access/configuration-file.ts';
export { parseAuthenticationConfiguration } from './access/jwt/configuration.ts';
export type { AuthenticationConfiguration } from './access/jwt/types.ts';
export { requestHeaderNames } from './access/request-headers.ts';
export { staticTokens } from './access/static-tokens.ts';
export type { TokenIssuer } from './access/tokens.ts';
export type { AdmissionConfiguration } from './admission-plugins/admission-plugins.ts';
export * from './admission-plugins/configuration.ts';
export { userFor, type WebhookUser, type WebhookUsers } from './admission-plugins/webhooks/users.ts';
export { startRepairs } from './allocation/repairs.ts';
export type { AuditBackend, Auditor } from './audit/auditor.ts';
export { openAuditLog } from './audit/log-backend.ts';
export { AuditPolicyError, parseAuditPolicy } from './audit/policy.ts';
export { auditWebhook } from './audit/webhook-backend.ts';
export type { FrontProxy, ServerConfig } from './environment.ts';
export type { Listener } from './http/http-server.ts';
export type { CertifiedName, TlsOptions } from './http/serving-tls.ts';
export { readingProtobuf } from './protobuf/stored.ts';
export type { UserInfo } from './request/user.ts';
export type { Site } from './site.ts';
export { parseTracingConfiguration } from './tracing/configuration.ts';
export { openTracing } from './tracing/open.ts';
export type { Tracing } from './tracing/tracing.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** The kinds that are served; all built-in ones when left out. */
  readonly kinds?: KindRegistry;
  /** Tried in this order; client certificates, then anonymous, when left out. */
  readonly authenticators?: readonly Authenticator[];
  /** In order of calls; default: everything is allowed. */
  readonly authorizers?: readonly Authorizer[];
  readonly admission?: readonly AdmissionPlugin[];
  readonly tokens?: TokenIssuer;
  /** Records requests; nothing is recorded when left out. */
  readonly auditor?: Auditor;
  /** Traces requests; the server closes it at its end. */
  readonly tracing?: Tracing;
  readonly config?: Partial<ServerConfig>;
}

export interface ApiServer {
  readonly server: Server;
  /** A transport for a component of this process, with its identity. */
  transport(user: UserInfo): Transport;
  listen(options: ListenOptions): Promise<Listener>;
  /** Serves pages on every port. */
  readonly serveSite: (site: Site) => void;
  /** The user of a bearer token. Rejects with 401 when it is wrong. */
  readonly userOfToken: (token: string) => Promise<UserInfo>;
  /** The recent past of a resource; `atMs`: also the revision of that time. The caller checks the reader's rights. */
  readonly history: (place: HistoryPlace, atMs?: number) => Promise<History | undefined>;
  /** The last refused writes, oldest first. The caller checks the reader's rights. */
  readonly refusals: (place: Partial<WrittenPlace>) => readonly Refusal[];
  /** The last deletions, likewise. */
  readonly deletions: (place: Partial<WrittenPlace>) => readonly Deletion[];
  /** Serves for `ms` more, while `readyz` reports the end: clients that look at it go elsewhere. */
  drain(ms: number): Promise<void>;
  /** Ends watches, closes sockets. The store stays open: its opener closes it. */
  stop(): Promise<void>;
}

const defaults: ServerConfig = {
  serviceCidr: '10.96.0.0/12',
  nodePortRange: { from: 30_000, to: 32_767 },
  // The order that kubeadm sets.
  kubeletAddressTypes: ['InternalIP', 'ExternalIP', 'Hostname'],
  maxBodyBytes: 3 << 20,
  profiling: true,
  refusesRedirects: true,
  requestTimeoutMs: 60_000,
  // --max-requests-inflight and --max-mutating-requests-inflight together.
  seats: 600,
  minWatchSeconds: 1_800,
};

/** Names of Kubernetes for the work of a start. */
const customResourceHooks = [
  'poststarthook/start-apiextensions-informers',
  'poststarthook/start-apiextensions-controllers',
  'poststarthook/crd-informer-synced',
];
const aggregationHooks = [
  'poststarthook/start-kube-aggregator-informers',
  'poststarthook/apiservice-registration-controller',
  'poststarthook/apiservice-status-local-available-controller',
  'poststarthook/apiservice-status-remote-available-controller',
  'poststarthook/apiservice-discovery-controller',
];

/** Only reads the store's revision: a resource is loaded on first use. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, tracing } = options;
  const stopping = new AbortController();
  let isDraining = false;
  const server = makeServer(options, stopping.signal);
  const { cache } = server;
  await cache.start();
  collectMetrics(server);
  for (const check of storeChecks(store, () => cache.fault)) server.health.add(check);
  server.health.add({
    name: 'shutdown',
    endpoints: ['readyz'],
    check: () => (isDraining || stopping.signal.aborted ? 'process is shutting down' : undefined),
  });
  await startHooks(server);
  const listeners: Listener[] = [];
  return {
    server,
    transport: (user) => inProcess(server, user),
    async listen(where) {
      const listener = await listen(server, where);
      listeners.push(listener);
      return listener;
    },
    serveSite(site) {
      server.site.current = site;
    },
    userOfToken: (token) => userOfToken(server, token),
    history: (place, atMs) => historyOf(server, place, atMs),
    refusals: (place) => server.refusals.find(place),
    deletions: (place) => server.deletions.find(place),
    async drain(ms) {
      isDraining = true;
      await clock.sleep(ms);
    },
    async stop() {
      // Clients are sent away before their watches end: they come back on another connection.
      const closing = listeners.map((listener) => listener.close());
      stopping.abort();
      await Promise.all(closing);
      await server.fairness.stop();
      await cache.stop();
      for (const backend of options.auditor?.backends ?? []) await backend.close();
      await tracing?.close();
    },
  };
}

type RunningServer = Server & {
  readonly cache: WatchCache;
  readonly aggregation: Aggregator;
  readonly fairness: Fairness;
};

function makeServer(options: ApiServerOptions, stopping: AbortSignal): RunningServer {
  const { store, clock, random, logger, tokens, auditor, tracing } = options;
  const config = { ...defaults, ...options.config };
  const kinds = options.kinds ?? new KindRegistry();
  const aggregation = new Aggregator(() => server);
  const computed = new ComputedResources(kinds, (group, version) => aggregation.find(group, version) !== undefined);
  aggregation.onChange(() => computed.sync());
  const metrics = options.metrics ?? new Metrics();
  const seriesOf = storageSeries({ metrics, kinds });
  const cache = new WatchCache({ store, clock, logger, seriesOf, ...(tracing && { tracing }) });
  const server: RunningServer = {
    ...{ kinds, store, cache, clock, random, logger, metrics, config, aggregation, computed, stopping },
    fairness: new Fairness(clock, metrics, config),
    authenticators: options.authenticators ?? [clientCertificates, anonymous],
    authorizers: options.authorizers ?? [alwaysAllow],
    admission: options.admission ?? [],
    ...(tokens && { tokens }),
    ...(auditor && { auditor }),
    ...(tracing && { tracing }),
    allocators: new ServiceAllocator({
      ...config,
      random,
      clock,
      metrics,
      stopping,
      read: (key) => store.get(key),
      services: () => cacheOfResource(server, '', 'services'),
      ...(kinds.byResource('networking.k8s.io', 'v1', 'servicecidrs') && {
        ranges: () => cacheOfResource(server, 'networking.k8s.io', 'servicecidrs'),
      }),
    }),
    health: new HealthChecks(clock.now() / 1_000 - process.uptime(), rankOf),
    refusals: new KeptWrites(300),
    deletions: new KeptWrites(1_000),
    site: {},
    startedMs: clock.now(),
  };
  return server;
}

/** Starts the parts whose readiness Kubernetes shows as hooks after the start. */
async function startHooks(server: RunningServer): Promise<void> {
  const customResourcesStarted = server.health.pending(customResourceHooks);
  const aggregationStarted = server.health.pending([
    ...aggregationHooks,
    ...(server.config.proxyClient ? ['poststarthook/aggregator-reload-proxy-client-cert'] : []),
  ]);
  await startCustomResources(server);
  customResourcesStarted();
  await server.aggregation.start();
  aggregationStarted();
}
