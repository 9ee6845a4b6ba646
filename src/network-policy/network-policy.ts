// The room's front door. Keeps the rules of a machine's pods as the network policies of the cluster say.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/

import type { Namespace, Pod } from '../api/api.ts';
import { type ComponentContext, createInformer, type Informer, type RunningComponent } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { finishInPauses } from '../machinery/time/steps.ts';
import { isolationOf } from './isolation.ts';
import { rulesetOf } from './nftables.ts';
import type { PacketFilter } from './packet-filter.ts';
import type { Isolation } from './permissions.ts';
import { policyPod } from './policy-pod.ts';
import { PolicyTable } from './policy-table.ts';
import { SiteFinder } from './site.ts';

interface NetworkPolicyConfig {
  /** The nodes of this machine. */
  readonly nodeNames: readonly string[];
  /** Ranges of the cluster's pods. */
  readonly clusterCidrs: readonly string[];
  /** Addresses of the service of cluster DNS. */
  readonly dnsAddresses: readonly string[];
  /** Separates the rules of several clusters on one machine. */
  readonly clusterName: string;
}

/** Changes come in groups. */
const collectMs = 30;
const retryMs = 1_000;
/** Rules that another program removed come back. */
const againMs = 60_000;

/** The rights of the component. */
export const networkPolicyRules = [
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
];

/** Resolves at once. Without policies, it watches only these. Stopping leaves the rules in place: pods continue. */
export async function startNetworkPolicy(
  context: ComponentContext,
  config: NetworkPolicyConfig,
  filter: PacketFilter,
): Promise<RunningComponent> {
  const enforcer = new Enforcer(context, config, filter);
  const running = enforcer.run();
  return {
    health: () => enforcer.problem ?? enforcer.tooLarge,
    async stop() {
      await enforcer.stop();
      await running;
    },
  };
}

/** Removes the rules of a cluster from the machine, running or crashed. */
export const removeNetworkPolicies = (clusterName: string, filter: PacketFilter): Promise<void> =>
  new PolicyTable(tableOf(clusterName), filter).remove().catch(() => {}); // without nft there are none

const tableOf = (clusterName: string): string => `inet coracle-policy-${clusterName}`;

interface Sources {
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
}

class Enforcer {
  readonly #context: ComponentContext;
  readonly #config: NetworkPolicyConfig;
  readonly #table: PolicyTable;
  readonly #sites: SiteFinder;
  readonly #stopping = new AbortController();
  readonly #policies;
  #sources: Sources | undefined;
  #wake = Promise.withResolvers<void>();
  problem: string | undefined;
  tooLarge: string | undefined;

  constructor(context: ComponentContext, config: NetworkPolicyConfig, filter: PacketFilter) {
    this.#context = context;
    this.#config = config;
    this.#table = new PolicyTable(tableOf(config.clusterName), filter);
    this.#sites = new SiteFinder(context.client, config, filter);
    this.#policies = createInformer(context, 'networkpolicies');
  }

  async run(): Promise<void> {
    const { clock } = this.#context;
    const { signal } = this.#stopping;
    await this.#policies.synced();
    this.#policies.handle((next, old) => {
      if (!deepEqual(next?.spec, old?.spec)) this.#wake.resolve();
    });
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      await this.#sync();
      const pause = new AbortController();
      const waited = clock.sleep(this.problem ? retryMs : againMs, pause.signal).then(
        () => this.#table.forget(),
        () => {},
      );
      await Promise.race([waited, this.#wake.promise]);
      pause.abort();
      if (!signal.aborted) await clock.sleep(collectMs, signal).catch(() => {});
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.resolve();
    await this.#policies.stop();
    await this.#follow(false);
  }

  async #sync(): Promise<void> {
    const hasPolicies = this.#policies.list().length > 0;
    try {
      await this.#follow(hasPolicies);
      if (this.#stopping.signal.aborted) return;
      const isolation = await this.#isolation();
      if (isolation) await this.#apply(isolation);
      else await this.#table.remove();
      this.#reportTooLarge(isolation?.tooLarge ?? new Set());
      this.#report(undefined);
    } catch (error) {
      this.#report(hasPolicies ? `network policies are not enforced: ${reasonOf(error as Error)}` : undefined);
    }
  }

  /** Watches pods and namespaces while a policy exists. */
  async #follow(isWanted: boolean): Promise<void> {
    const sources = this.#sources;
    if (!isWanted && sources) {
      this.#sources = undefined;
      await Promise.all([sources.pods.stop(), sources.namespaces.stop()]);
    }
    if (!isWanted || sources) return;
    const pods = createInformer(this.#context, 'pods', {}, policyPod);
    const namespaces = createInformer(this.#context, 'namespaces');
    this.#sources = { pods, namespaces };
    await Promise.all([pods.synced(), namespaces.synced()]);
    pods.handle((next, old) => {
      if (!deepEqual(next && relevantOf(next), old && relevantOf(old))) this.#wake.resolve();
    });
    namespaces.handle((next, old) => {
      if (!deepEqual(next?.metadata.labels, old?.metadata.labels)) this.#wake.resolve();
    });
  }

  async #isolation(): Promise<Isolation | undefined> {
    if (!this.#sources) return undefined;
    const steps = isolationOf({
      policies: this.#policies.list(),
      pods: this.#sources.pods.list(),
      namespaces: this.#sources.namespaces.list(),
      nodeNames: this.#config.nodeNames,
    });
    return finishInPauses(steps, this.#context.clock);
  }

  async #apply(isolation: Isolation): Promise<void> {
    const { clock } = this.#context;
    const site = await this.#sites.find(isolation.ownAddresses);
    await this.#table.apply(await finishInPauses(rulesetOf(isolation, site), clock), clock);
  }

  #reportTooLarge(namespaces: ReadonlySet<string>): void {
    const names = [...namespaces].sort().slice(0, 10).join(', ');
    const text = names && `network policies are too large, and permit less than they say, in namespaces: ${names}`;
    if (text && text !== this.tooLarge) this.#context.logger.warn('network policies too large', { namespaces: names });
    this.tooLarge = text || undefined;
  }

  #report(problem: string | undefined): void {
    if (problem && problem !== this.problem) this.#context.logger.warn('network policies not enforced', { problem });
    this.problem = problem;
  }
}

const reasonOf = (error: NodeJS.ErrnoException): string =>
  error.code === 'ENOENT' ? 'nft is not installed (apt-get install nftables)' : error.message;

/** A status changes often, and the version with it. */
const relevantOf = ({ metadata: { labels, deletionTimestamp }, spec: { nodeName }, status }: Pod) => ({
  ...{ labels, isTerminating: deletionTimestamp !== undefined, nodeName, status },
});
