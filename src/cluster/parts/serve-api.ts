// A running API server: authentication and authorization, bootstrap objects, and the periodic work.

import { type Client, createClient } from '../../client/client.ts';
import {
  type AccessChange,
  type AccessOptions,
  type ApiServer,
  type ApiServerOptions,
  createAccess,
  createApiServer,
  startRepairs,
  type TokenIssuer,
  type UserInfo,
} from '../../kube-apiserver/kube-apiserver.ts';
import { runCompaction, type Store } from '../../store/store.ts';
import type { Environment } from '../context.ts';
import { identities } from '../identities.ts';
import { ensureBootstrapObjects } from '../objects/bootstrap.ts';
import { ComponentStatuses, type Health } from '../objects/component-status.ts';
import { DefaultServiceRange } from '../objects/default-service-range.ts';
import type { BootstrapInputs } from '../objects/extra-objects.ts';
import { keepIdentityLease } from '../objects/identity-lease.ts';
import { keepObjects } from '../objects/kept-objects.ts';
import { keepEndpoints } from '../objects/server-endpoints.ts';

interface ApiSetup extends Pick<ApiServerOptions, 'auditor' | 'config' | 'kinds' | 'tracing'> {
  readonly store: Store;
  readonly access: Omit<AccessOptions, 'clock' | 'random' | 'metrics'>;
  /** Opens the port. Left out: the server is reached in this process alone. */
  readonly listen?: (apiServer: ApiServer) => Promise<number>;
  /** `port` is that on which it listens. */
  readonly bootstrap: (port: number | undefined) => BootstrapInputs;
}

export interface ServedApi {
  readonly port: number | undefined;
  readonly apiServer: ApiServer;
  /** A client of this process under an identity. */
  clientFor(user: UserInfo): Client;
  readonly signSecretToken: TokenIssuer['issueForSecret'];
  /** Brings another configuration into use. Rejects, without any change, while it cannot. */
  updateAccess(change: AccessChange): Promise<void>;
  /** Shows the health of a component of this process as its ComponentStatus, until the returned function is called. */
  reportHealth(component: string, health: Health): () => void;
  /** Writes changed authorities into the configuration of extension API servers. A failure is logged. */
  publishTrust(): Promise<void>;
  stop(): Promise<void>;
}

/** Names of Kubernetes for the work of a start: health checks fail until it is done. */
const hooks = (...names: string[]) => names.map((name) => `poststarthook/${name}`);
const startHooks = [
  ...hooks('start-apiserver-admission-initializer', 'generic-apiserver-start-informers', 'storage-readiness'),
  ...hooks('kube-apiserver-autoregistration', 'apiservice-openapi-controller', 'apiservice-openapiv3-controller'),
  'autoregister-completion',
];
const fairnessHooks = hooks(
  'priority-and-fairness-config-consumer',
  'priority-and-fairness-filter',
  'storage-object-count-tracker-hook',
);
const bootstrapHooks = hooks(
  'start-system-namespaces-controller',
  'peer-endpoint-reconciler-controller',
  'start-cluster-authentication-info-controller',
  'start-kube-apiserver-identity-lease-controller',
  'start-kube-apiserver-identity-lease-garbage-collector',
  'start-legacy-token-tracking-controller',
  'rbac/bootstrap-roles',
  'scheduling/bootstrap-system-priority-classes',
  'priority-and-fairness-config-producer',
  'bootstrap-controller',
  'start-kubernetes-service-cidr-controller',
);

/** Resolves when the API server can be used and the bootstrap objects are there. */
export async function serveApi(environment: Environment, setup: ApiSetup): Promise<ServedApi> {
  const { clock, random, metrics } = environment;
  const { store, auditor, config, kinds, tracing } = setup;
  const logger = environment.logger.child({ component: 'kube-apiserver' });
  const access = createAccess({ ...setup.access, clock, random, metrics });
  const { authenticators, authorizers, admission, tokens } = access;
  const apiServer = await createApiServer({
    ...{ store, clock, random, logger, metrics, authenticators, authorizers, admission, tokens },
    ...(auditor && { auditor }),
    ...(tracing && { tracing }),
    ...(kinds && { kinds }),
    ...(config && { config }),
  });
  const clientFor = (user: UserInfo) => createClient(apiServer.transport(user));
  const self = clientFor(identities.apiServer);
  const { health, computed, kinds: served } = apiServer.server;
  const statuses = new ComponentStatuses({ client: self, store, clock });
  const statusKind = served.byResource('', 'v1', 'componentstatuses');
  if (statusKind) computed.answer(statusKind, { read: (_namespace, name) => statuses.read(name) });
  const informersSynced = health.pending(startHooks);
  const allSynced = health.pending(['informer-sync'], ['readyz']);
  const fairnessStarted = health.pending(fairnessHooks);
  const bootstrapped = health.pending(bootstrapHooks);
  const repaired = health.pending(hooks('start-service-ip-repair-controllers'));
  // Before listening: no request may be authorized with half of the roles.
  await access.start({ client: self, clock, random, logger: environment.logger });
  informersSynced();
  allSynced();
  await apiServer.server.fairness.start({ client: self, clock, random, logger });
  fairnessStarted();
  const port = await setup.listen?.(apiServer);
  const inputs = setup.bootstrap(port);
  const range = new DefaultServiceRange({ client: self, clock, logger }, inputs.serviceCidr.split(','));
  await range.ensure();
  await ensureBootstrapObjects(self, inputs);
  const endpoints = await keepEndpoints({ store, client: self, clock, logger }, inputs.endpoint);
  const identityLease = await keepIdentityLease(self, { clock, random, logger });
  bootstrapped();
  const kept = keepObjects(self, inputs, range, { clock, logger });
  const repairs = startRepairs(apiServer.server, { client: self, clock, random, logger, metrics });
  void repairs.first.then(repaired, () => {});
  const compaction = runCompaction(store, clock, logger, (revision) => apiServer.server.cache.compact(revision));
  return {
    port,
    apiServer,
    clientFor,
    signSecretToken: tokens.issueForSecret,
    updateAccess: (change) => access.update(change),
    publishTrust: kept.publishTrust,
    reportHealth: (component, check) => statuses.report(component, check),
    async stop() {
      compaction.stop();
      kept.stop();
      await repairs.stop();
      // First, so that clients are sent to the other servers.
      await endpoints.stop();
      await identityLease.stop();
      await access.stop();
      await apiServer.stop();
    },
  };
}
