// The room's front door. kube-proxy translates Services to network rules of this machine.
// https://kubernetes.io/docs/reference/networking/virtual-ips/

import { availableParallelism } from 'node:os';
import type { ServiceCIDR } from '../api/api.ts';
import {
  type ComponentContext,
  createEventRecorder,
  createEventReporter,
  createInformer,
  type EventReporter,
  type RunningComponent,
} from '../client/client.ts';
import { startAnnouncer } from './announcer/announcer.ts';
import type { ProxyBackend } from './backend.ts';
import { setConntrack } from './conntrack-settings.ts';
import { HealthCheckServers } from './health-checks.ts';
import { createNftablesBackend, type NftablesOptions } from './nftables.ts';
import { run } from './run.ts';
import { healthChecks, isOfFamily, servicePorts } from './service-ports.ts';
import { addressLabel, createUserspaceBackend } from './userspace.ts';

export { type PortTrace, traceService } from './trace.ts';

interface KubeProxyConfig {
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  /** auto: nftables where it works, user space elsewhere. */
  readonly mode: 'auto' | 'nftables' | 'userspace';
  /** Of pods and of services: one range, or one of each family. */
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  /** Separates the rules of several clusters on one machine. */
  readonly clusterName: string;
}

export interface RunningKubeProxy extends RunningComponent {
  readonly mode: ProxyBackend['name'];
}

const retryMs = 1_000;

/** Resolves when the rules for the current services are in place. Stopping leaves kernel rules in place. */
export async function startKubeProxy(context: ComponentContext, config: KubeProxyConfig): Promise<RunningKubeProxy> {
  const { clock, logger } = context;
  const backend = await chooseBackend(context, config);
  const services = createInformer(context, 'services');
  const slices = createInformer(context, 'endpointslices');
  const ranges = createInformer(context, 'servicecidrs');
  const duration = syncDuration(context.metrics);
  let problem: string | undefined;
  const events = createEventReporter(context, 'kube-proxy', config.nodeName);
  const addressEvents = createEventRecorder(context, { component: 'kube-proxy', host: config.nodeName });
  const checks = new HealthCheckServers({ ...config, logger, events, problem: () => problem });
  let dirty = false;
  let syncing: Promise<void> | undefined;
  let stopped = false;

  async function syncAll(): Promise<void> {
    await Promise.resolve(); // concurrent changes share one sync
    while (dirty && !stopped) {
      dirty = false;
      const beginMs = clock.monotonic();
      try {
        const cidrs = serviceCidrs(config.serviceCidrs, ranges.list());
        await backend.sync(servicePorts(services.list(), slices.list(), config.nodeName), cidrs);
        await checks.sync(healthChecks(services.list(), slices.list(), config.nodeName));
        problem = undefined;
      } catch (error) {
        problem = (error as Error).message;
        logger.error('cannot program services, trying again', { error: problem });
        dirty = true;
        await clock.sleep(retryMs);
      }
      duration.observe((clock.monotonic() - beginMs) / 1000);
    }
  }

  function changed(): void {
    dirty = true;
    syncing ??= syncAll().finally(() => {
      syncing = undefined;
    });
  }

  await Promise.all([services.synced(), slices.synced(), ranges.synced()]);
  services.handle(changed);
  slices.handle(changed);
  ranges.handle(changed);
  changed();
  reportStart(events, config.nodeName);
  await syncing;
  // In user space the addresses are bound to the loopback interface of each node, so all nodes would answer for them.
  const announcer =
    backend.name === 'nftables' &&
    startAnnouncer(context, { ...config, nodeIP: config.nodeIPs[0], services, slices, events: addressEvents });
  logger.info('kube-proxy started', { mode: backend.name });
  return {
    mode: backend.name,
    health: () => problem ?? (announcer ? announcer.health?.() : undefined),
    async stop() {
      stopped = true;
      if (announcer) await announcer.stop();
      await Promise.all([services.stop(), slices.stop(), ranges.stop()]);
      await syncing;
      checks.stop();
      await events.stop();
      // The userspace proxy ends with this process; kernel rules serve until the next start.
      if (backend.name === 'userspace') await backend.remove();
    },
  };
}

const syncDuration = (metrics: ComponentContext['metrics']) =>
  metrics.histogram(
    'kubeproxy_sync_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds.',
    [0.001, 0.01, 0.1, 1, 10],
  );

/** The uid of a node in its events is its name: `kubectl describe node` finds them by it. */
function reportStart(events: EventReporter, name: string): void {
  const metadata = { name, uid: name, creationTimestamp: '', resourceVersion: '' };
  const node = { apiVersion: 'v1', kind: 'Node', metadata };
  events.report(node, { type: 'Normal', reason: 'Starting', action: 'StartKubeProxy', note: '' });
}

/** The ranges, also of ServiceCIDR objects. */
const serviceCidrs = (own: readonly string[], objects: readonly ServiceCIDR[]): string[] =>
  [...new Set([...own, ...objects.flatMap(({ spec }) => spec?.cidrs ?? [])])].sort();

/** Name of the nftables table of a cluster. */
const tableOf = (clusterName: string): string => `coracle-${clusterName}`;

/** Removes the rules that a proxy of this cluster left on the machine, running or crashed. */
export async function removeServices(clusterName: string): Promise<void> {
  await Promise.all([removeRules(clusterName), removeAddresses(clusterName)]);
}

const removeRules = (clusterName: string) =>
  Promise.all(
    ['ip', 'ip6'].map((family) => run('nft', ['delete', 'table', family, tableOf(clusterName)]).catch(() => {})),
  );
const removeAddresses = (clusterName: string) =>
  run('ip', ['addr', 'flush', 'dev', 'lo', 'label', addressLabel(clusterName)]).catch(() => {});

async function chooseBackend(
  { clock, random, logger }: ComponentContext,
  config: KubeProxyConfig,
): Promise<ProxyBackend> {
  const hasSix = config.serviceCidrs.some((cidr) => isOfFamily(cidr, 6));
  if (config.mode !== 'userspace') {
    try {
      const backend = await createNftables({ table: tableOf(config.clusterName), ...config, logger });
      await removeAddresses(config.clusterName); // of an earlier run in user space
      await setConntrack(availableParallelism(), logger);
      return backend;
    } catch (error) {
      if (config.mode === 'nftables' || hasSix) throw error;
      logger.info('nftables unavailable, using the userspace proxy', { reason: (error as Error).message });
    }
  }
  if (hasSix) throw new Error('services with IPv6 addresses need nftables: choose --proxy-mode nftables or auto');
  await removeRules(config.clusterName); // of an earlier run with nftables
  return createUserspaceBackend({ label: addressLabel(config.clusterName), clock, random, logger });
}

/** One table for each family of the cluster. */
async function createNftables(
  options: Omit<NftablesOptions, 'family'> & Pick<KubeProxyConfig, 'serviceCidrs'>,
): Promise<ProxyBackend> {
  const wanted = ([4, 6] as const).filter((family) => options.serviceCidrs.some((cidr) => isOfFamily(cidr, family)));
  const backends = await Promise.all(wanted.map((family) => createNftablesBackend({ ...options, family })));
  return {
    name: 'nftables',
    sync: async (...state) => void (await Promise.all(backends.map((backend) => backend.sync(...state)))),
    remove: async () => void (await Promise.all(backends.map((backend) => backend.remove()))),
  };
}
