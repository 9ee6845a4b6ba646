// A machine that has nodes alone: it joins a cluster, runs kubelet and service proxy, and reaches any API server that
// answers.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { conditionOf, type EndpointSlice, isConditionTrue, type Node } from '../../api/api.ts';
import {
  type Client,
  type ComponentContext,
  createClient,
  createInformer,
  type HttpsTransport,
  httpsTransport,
} from '../../client/client.ts';
import { forgetRanges, readRanges, thisMachine, withOwnRanges } from '../addresses/network-ranges.ts';
import { rotateCertificates } from '../certificates/certificate-rotation.ts';
import type { KeyPair } from '../certificates/certificates.ts';
import { settings as allSettings, type ClusterConfig, type RunConfig, runConfigOf } from '../config.ts';
import type { Environment } from '../context.ts';
import { claim, type DataDirectory, DataDirectoryError, dataDirectory, openDataDirectory } from '../data-directory.ts';
import { identities } from '../identities.ts';
import { launchNodes } from '../node-process/launch.ts';
import type { NodeProcessConfig } from '../node-process/messages.ts';
import { NodeProcess, type NodeProcessStatus } from '../node-process/node-process.ts';
import type { StartHooks } from '../start.ts';
import { version } from '../version.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { caHashes } from './ca-hash.ts';
import { joinCluster } from './join.ts';
import { JoinError } from './join-error.ts';
import { type Membership, readMembership, writeMembership } from './membership.ts';
import {
  type CertificateTools,
  ensureNodeCertificates,
  existingKubeletCertificate,
  type NodeCertificates,
} from './node-certificates.ts';
import { checkNodeDirectory } from './server-directory.ts';
import type { JoinRequest, SharedSettings } from './types.ts';

export interface AgentConfig {
  readonly node: ClusterConfig;
  /** Left out: the machine has joined before. */
  readonly join?: JoinRequest;
}

export interface RunningAgent {
  readonly directory: DataDirectory;
  readonly config: RunConfig;
  /** API server that it uses now, as host:port. */
  readonly server: string;
  status(): Promise<NodeProcessStatus>;
  /** Makes certificates that are due or missing. Rejects with the reason when that fails. */
  checkCertificates(): Promise<void>;
  /** That no API server answers; undefined while one does. */
  readonly serverProblem: string | undefined;
  /** Why the node is not Ready; undefined if it is. */
  nodeProblem(): Promise<string | undefined>;
  stop(): Promise<void>;
}

const readyTimeoutMs = 120_000;
const readyPollMs = 250;
const answerMs = 5_000;

/** Resolves when the node is Ready. Rejects with JoinError, DataDirectoryError or the failure of a part. */
export async function startAgent(
  { node: config, join }: AgentConfig,
  environment: Environment,
  nodeCommand: readonly string[],
  hooks: StartHooks,
): Promise<RunningAgent> {
  const directory = dataDirectory(config.dataDirectory);
  await openDataDirectory(directory);
  const info = (address: string) => ({ name: config.name, address, startedAt: environment.clock.now(), version });
  await claim(directory, info(''));
  const agent = new Agent(config, directory, environment, hooks);
  try {
    await agent.start(join, nodeCommand);
    await claim(directory, info(`https://${agent.server}`));
    return agent;
  } catch (error) {
    await agent.stop();
    await rm(directory.runFile, { force: true });
    throw error;
  }
}

class Agent implements RunningAgent {
  readonly directory: DataDirectory;
  readonly #environment: Environment;
  readonly #hooks: StartHooks;
  readonly #stops: (() => Promise<void> | void)[] = [];
  #given: ClusterConfig;
  #running: { readonly balancer: Balancer; readonly config: RunConfig; readonly nodes: NodeProcess } | undefined;
  #node: Client | undefined;
  #checkCertificates: () => Promise<void> = async () => {};

  constructor(config: ClusterConfig, directory: DataDirectory, environment: Environment, hooks: StartHooks) {
    this.#given = config;
    this.directory = directory;
    this.#environment = environment;
    this.#hooks = hooks;
  }

  get #parts() {
    if (!this.#running) throw new Error('the agent has not started');
    return this.#running;
  }

  get config(): RunConfig {
    return this.#parts.config;
  }

  get server(): string {
    return this.#parts.balancer.current;
  }

  get serverProblem(): string | undefined {
    return this.#parts.balancer.problem;
  }

  async start(join: JoinRequest | undefined, nodeCommand: readonly string[]): Promise<void> {
    const { clock, logger } = this.#environment;
    const tools = {
      directory: path.join(this.directory.pki, 'node'),
      node: this.#given.nodeNames[0],
      clock,
    };
    const membership = await this.#step('joined', () => this.#enter(join, tools));
    const config = await this.#configOf(membership.settings);
    const balancer = await startBalancer({ servers: membership.servers, clock, logger });
    this.#stops.push(() => balancer.stop());
    const withServer: CertificateTools = {
      ...tools,
      ca: membership.ca,
      clientFor: (pair) => this.#clientWith(balancer.url, membership.ca, pair, 'kubelet'),
    };
    const certificates = await this.#step('certificates', () => certificatesOf(withServer, membership, logger));
    const nodes = new NodeProcess(
      this.#environment,
      () => launchNodes(nodeCommand, this.directory, clock),
      this.#hooks.onStep,
    );
    this.#stops.push(() => nodes.stop());
    this.#running = { balancer, config, nodes };
    let current = certificates;
    await nodes.start(() => processConfig(config, balancer.url, membership.ca, current));
    this.#node = withServer.clientFor(current.kubelet);
    this.#follow(balancer, membership, current.proxy);
    this.#renew(withServer, current, (next) => {
      current = next;
      this.#node = withServer.clientFor(next.kubelet);
      return nodes.replace();
    });
    await this.#step('node Ready', () => this.#untilReady());
  }

  checkCertificates(): Promise<void> {
    return this.#checkCertificates();
  }

  status(): Promise<NodeProcessStatus> {
    return this.#parts.nodes.status();
  }

  async nodeProblem(): Promise<string | undefined> {
    const name = this.config.nodeNames[0];
    if (this.serverProblem !== undefined) return this.serverProblem;
    try {
      const node = await this.#readNode(name);
      if (node && isConditionTrue(node, 'Ready')) return undefined;
      return (node && conditionOf(node, 'Ready')?.message) || 'not registered';
    } catch (error) {
      return `no API server answers: ${(error as Error).message}`;
    }
  }

  /** A server that hangs must not make users wait. */
  async #readNode(name: string): Promise<Node | undefined> {
    const limit = new AbortController();
    const late = this.#environment.clock.sleep(answerMs, limit.signal).then(() => {
      throw new Error(`no answer within ${answerMs / 1000} s`);
    });
    late.catch(() => {}); // after the answer
    return Promise.race([this.#node?.get('nodes', { name }), late]).finally(() => limit.abort());
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  async #enter(join: JoinRequest | undefined, tools: Omit<CertificateTools, 'ca' | 'clientFor'>): Promise<Membership> {
    await checkNodeDirectory(this.directory);
    const existing = await readMembership(this.directory);
    if (!existing) {
      if (!join)
        throw new JoinError(
          `${this.directory.root} belongs to no cluster yet: give --join, --token and --ca-cert-hash, as "coracle token create" on a server prints them`,
        );
      return this.#join(join, tools);
    }
    if (existing.node !== tools.node)
      throw new DataDirectoryError(
        `the machine joined as node ${existing.node}, not ${tools.node}: start it with --node-name ${existing.node}, or join with another --data-dir`,
      );
    if (join && !caHashes(existing.ca).some((hash) => join.hashes.includes(hash)))
      throw new DataDirectoryError(
        `${this.directory.root} belongs to another cluster (CA ${caHashes(existing.ca).join()}): choose another --data-dir, or remove it with "coracle down --delete"`,
      );
    if (await existingKubeletCertificate({ ...tools, ca: existing.ca })) return existing;
    if (join) return this.#join(join, tools);
    throw new JoinError(
      `the certificate of the node ${existing.node} has expired: run "coracle node remove ${existing.node}" on a server, and join again with a token, as "coracle token create" prints it`,
    );
  }

  async #join(join: JoinRequest, tools: Omit<CertificateTools, 'ca' | 'clientFor'>): Promise<Membership> {
    const hadRanges = (await readRanges(this.directory.ranges)) !== undefined;
    try {
      return await joinCluster(join, this.directory, tools, (settings) => this.#configOf(settings));
    } catch (error) {
      if (!hadRanges) await forgetRanges(this.directory);
      throw error;
    }
  }

  async #configOf({ serviceCidr, clusterCidr, clusterDomain, cloudProvider }: SharedSettings): Promise<RunConfig> {
    const config = {
      ...this.#given,
      ...{ serviceCidr, clusterCidr, clusterDomain, dataDirectory: this.directory.root },
      cloudProvider: this.#given.cloudProvider ?? allSettings.cloudProvider.read(cloudProvider ?? 'local'),
    };
    const remedy = 'all machines of a cluster have its ranges, so this one cannot join while they are in use';
    return runConfigOf(config, await withOwnRanges(config, this.directory, thisMachine(), remedy));
  }

  #clientWith(server: string, ca: string, pair: KeyPair, userAgent: string): Client {
    const transport: HttpsTransport = httpsTransport({
      ...{ server, ca, ...pair, userAgent, clock: this.#environment.clock },
    });
    this.#stops.push(() => transport.close());
    return createClient(transport);
  }

  /** The servers are the endpoints of the service kubernetes. */
  #follow(balancer: Balancer, membership: Membership, proxy: KeyPair): void {
    const client = this.#clientWith(balancer.url, membership.ca, proxy, 'coracle-agent');
    const context: Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'> = { ...this.#environment, client };
    const selection = { namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes' };
    const slices = createInformer(context, 'endpointslices', selection);
    let stored = membership.servers;
    const stopHandling = slices.handle(() => {
      const servers = serversOf(slices.list());
      if (servers.length === 0 || servers.join() === stored.join()) return;
      stored = servers;
      balancer.use(servers);
      writeMembership(this.directory, { ...membership, servers }).catch((error) =>
        this.#environment.logger.error('list of API servers not stored', { error: String(error) }),
      );
    });
    this.#stops.push(async () => {
      stopHandling();
      await slices.stop();
    });
  }

  #renew(tools: CertificateTools, current: NodeCertificates, replace: (next: NodeCertificates) => Promise<void>): void {
    const rotation = rotateCertificates({
      clock: this.#environment.clock,
      logger: this.#environment.logger,
      current: new Map(Object.entries({ ...current }).map(([name, pair]) => [name, { ...pair }])),
      ensure: async () => {
        used = await ensureNodeCertificates(used.kubelet, tools);
        return new Map(Object.entries({ ...used }));
      },
      renewed: () => replace(used),
    });
    let used = current;
    this.#checkCertificates = () => rotation.check();
    this.#stops.push(() => rotation.stop());
  }

  async #untilReady(): Promise<void> {
    const { clock } = this.#environment;
    const untilMs = clock.monotonic() + readyTimeoutMs;
    for (;;) {
      const problem = await this.nodeProblem();
      if (problem === undefined) return;
      if (clock.monotonic() > untilMs)
        throw new JoinError(`the node is not Ready after ${readyTimeoutMs / 1000} s: ${problem}`);
      await clock.sleep(readyPollMs);
    }
  }

  async #step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { clock } = this.#environment;
    const beginMs = clock.monotonic();
    const result = await work();
    this.#hooks.onStep?.(name, clock.monotonic() - beginMs);
    return result;
  }
}

async function certificatesOf(
  tools: CertificateTools,
  { node }: Membership,
  logger: Environment['logger'],
): Promise<NodeCertificates> {
  const kubelet = await existingKubeletCertificate(tools);
  if (!kubelet)
    throw new JoinError(
      `the certificate of the node ${node} has expired: run "coracle node remove ${node}" on a server, and join again with a token`,
    );
  return ensureNodeCertificates(kubelet, tools, (error) =>
    logger.warn('a certificate is due and cannot be renewed yet', { error: error.message }),
  );
}

const processConfig = (
  config: RunConfig,
  server: string,
  ca: string,
  { kubelet, serving, proxy, networkPolicy }: NodeCertificates,
): NodeProcessConfig => ({
  config,
  server,
  ca,
  certificates: {
    [identities.kubelet(config.nodeNames[0]).name]: kubelet,
    [identities.proxy.name]: proxy,
    [identities.networkPolicy.name]: networkPolicy,
  },
  serving,
});

function serversOf(slices: readonly EndpointSlice[]): string[] {
  const servers = slices.flatMap(({ endpoints, ports, addressType }) => {
    const port = ports?.find(({ name }) => name === 'https')?.port;
    const addresses = (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap((e) => e.addresses);
    return port
      ? addresses.map((address) => (addressType === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`))
      : [];
  });
  return [...new Set(servers)].sort();
}
