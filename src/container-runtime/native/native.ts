// Runs OCI images: it implements images, pod sandboxes, network and logs; an OCI runtime (crun or runc) runs every
// container. Its state is below one directory; containers do not depend on this process.

import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../machinery/logger.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { ownTurn } from '../../machinery/time/turn.ts';
import { type Cgroups, openCgroups } from '../cgroups/cgroups.ts';
import { EventHub } from '../event-hub.ts';
import { ImageStore } from '../images/image-store.ts';
import { findImage, pullImage } from '../images/images.ts';
import type { RegistryAuth } from '../images/registry.ts';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerRuntime,
  ContainerStats,
  ContainerStatus,
  ExecSession,
  Image,
  RuntimeEvent,
  RuntimeFeatures,
  SandboxConfig,
} from '../interface.ts';
import { podUidLabel } from '../labels.ts';
import { PodNetwork } from '../network/pod-network.ts';
import { RuntimeError } from '../runtime-error.ts';
import { Containers } from './containers/containers.ts';
import { attachSession, type ExecOptions, execToEnd, startExec } from './containers/exec.ts';
import { destroy, formerNames } from './destroy.ts';
import { nodeFacts } from './oci/node-facts.ts';
import { type OciRuntime, requireOciRuntime } from './oci/oci-runtime.ts';
import type { NodeFacts } from './oci/runtime-spec.ts';
import { PortForwarder } from './port-forward/port-forward.ts';
import { idMappedMountProblem, missingPrograms } from './programs.ts';
import { PidHolder } from './sandboxes/pid-holder.ts';
import { Sandboxes } from './sandboxes/sandboxes.ts';
import { keeperSocket, ShimClient, stopFormerKeeper } from './shim/shim-client.ts';
import { StateDirectory } from './state.ts';

/** A file in a later one takes precedence. */
const standardCdiDirectories = ['/etc/cdi', '/var/run/cdi'];

export interface NativeOptions {
  /** Directory of the state, absolute. Nodes on one machine have different ones. */
  readonly root: string;
  /** Images, `root`/images by default; nodes may share it. */
  readonly imageDirectory?: string;
  /** The pods' bridge, at most 15 characters; by default derived from `root`, so that it differs for each node. */
  readonly bridge?: string;
  /** File of the network namespace that has the bridge; that of this process by default. */
  readonly networkNamespace?: string;
  /** Path of crun or runc; by default the one on PATH that this machine can use. */
  readonly ociRuntime?: string;
  /** Destinations that pods reach without masquerading, besides the node's pod ranges: the cluster's. */
  readonly clusterCidrs?: readonly string[];
  /** Directories of the Container Device Interface, those with precedence last; /etc/cdi and /var/run/cdi by default. */
  readonly cdiDirectories?: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Rejects with RuntimeError('unavailable') that lists the missing programs or features. */
export async function createNativeRuntime(options: NativeOptions): Promise<ContainerRuntime> {
  if (process.platform !== 'linux') throw new RuntimeError('unavailable', 'the native runtime needs Linux');
  if (process.getuid?.() !== 0) throw new RuntimeError('unavailable', 'the native runtime needs root');
  const missing = missingPrograms();
  if (missing) throw new RuntimeError('unavailable', missing);
  const oci = await requireOciRuntime(options.ociRuntime);
  fs.mkdirSync(options.root, { recursive: true, mode: 0o711 });
  fs.mkdirSync(dirname(keeperSocket(options.root)), { recursive: true, mode: 0o700 });
  const cgroups = openCgroups();
  const userNamespaceProblem = await idMappedMountProblem(oci);
  const runtime = new Native(options, { oci, cgroups, userNamespaceProblem, node: await nodeFacts(cgroups.version) });
  await runtime.adopt();
  return runtime;
}

function networkOf(options: NativeOptions): PodNetwork {
  const { root, networkNamespace: namespace, clusterCidrs, logger } = options;
  const bridge = options.bridge ?? `cor${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
  return new PodNetwork({ bridge, namespace, clusterCidrs, logger });
}

/** Removes all state of a native runtime with this root, running or crashed, complete or partial. Images stay. */
export async function destroyNativeRuntime(
  options: Pick<NativeOptions, 'root' | 'bridge' | 'networkNamespace' | 'clock' | 'logger'>,
): Promise<void> {
  if (!fs.existsSync(options.root)) return;
  const shim = new ShimClient(options.root, options.clock);
  await destroy(options.root, shim, networkOf(options as NativeOptions), openCgroups(), options.clock);
}

/** The machine's features. */
interface Machine {
  readonly oci: OciRuntime;
  readonly cgroups: Cgroups;
  readonly node: NodeFacts;
  /** The reason why pods cannot have user namespaces. */
  readonly userNamespaceProblem?: string;
}

class Native implements ContainerRuntime {
  readonly version = 'native://1.0';
  readonly features: RuntimeFeatures;
  readonly #options: NativeOptions;
  readonly #machine: Machine;
  readonly #images: ImageStore;
  readonly #network: PodNetwork;
  readonly #cgroups: Cgroups;
  readonly #shim: ShimClient;
  readonly #hub = new EventHub();
  readonly #sandboxes: Sandboxes;
  readonly #containers: Containers;
  readonly #forwarder: PortForwarder;
  readonly #state: StateDirectory;
  #execs = 0;

  constructor(options: NativeOptions, machine: Machine) {
    const { root, clock, random, logger } = options;
    const { oci, node, cgroups } = machine;
    this.#options = options;
    this.#machine = machine;
    this.#cgroups = cgroups;
    this.features = {
      userNamespaces: machine.userNamespaceProblem === undefined,
      recursiveReadOnlyMounts: oci.recursiveReadOnly,
      supplementalGroupsPolicy: true,
      completeEvents: false,
    };
    this.#state = new StateDirectory(root);
    const { runtimeRoot } = this.#state;
    this.#images = new ImageStore(options.imageDirectory ?? join(root, 'images'), random);
    this.#network = networkOf(options);
    this.#shim = new ShimClient(root, clock);
    const holder = new PidHolder({ root, runtime: oci, runtimeRoot, node, cgroups });
    this.#sandboxes = new Sandboxes(this.#state, this.#network, holder, clock, random);
    this.#forwarder = new PortForwarder(clock);
    const { cdiDirectories = standardCdiDirectories } = options;
    const parts = { state: this.#state, images: this.#images, cgroups, hub: this.#hub, cdiDirectories };
    this.#containers = new Containers({ ...parts, runtime: oci, node, shim: this.#shim, clock, random, logger });
  }

  async adopt(): Promise<void> {
    const { root, logger } = this.#options;
    await stopFormerKeeper(root);
    await this.#sandboxes.adopt(logger);
    this.#state.keepCgroupParents((path) => this.#cgroups.exists(path));
    await this.#containers.adopt();
    for (const name of formerNames) await fs.promises.rm(join(root, name), { recursive: true, force: true });
  }

  async status() {
    return { network: this.#network.problem };
  }

  async updatePodCidrs(cidrs: readonly string[]): Promise<void> {
    const inUse = this.#sandboxes.list().flatMap((sandbox) => sandbox.ips);
    await this.#network.configure(cidrs, inUse);
  }

  async runPodSandbox(config: SandboxConfig): Promise<string> {
    const { userNamespaceProblem } = this.#machine;
    if (config.userNamespace && userNamespaceProblem)
      throw new RuntimeError(
        'sandbox',
        `can't set \`spec.hostUsers: false\`, runtime does not support user namespaces: ${userNamespaceProblem}`,
      );
    const id = await this.#sandboxes.run(config);
    this.#hub.sandbox('started', id, config.uid);
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    await Promise.all(this.#in(id).map((container) => this.#containers.stop(container, 0)));
    const uid = this.#podOf(id);
    await this.#sandboxes.stop(id);
    this.#hub.sandbox('stopped', id, uid);
  }

  async removePodSandbox(id: string): Promise<void> {
    await Promise.all(this.#in(id).map((container) => this.#containers.remove(container)));
    const uid = this.#podOf(id);
    const parent = this.#sandboxes.records.get(id)?.config.cgroupParent;
    await this.#sandboxes.remove(id);
    if (parent) this.#cgroups.removeEmpty(parent);
    this.#hub.sandbox('deleted', id, uid);
  }

  async listPodSandboxes(podUid?: string) {
    return this.#sandboxes.list(podUid);
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string> {
    const { state } = this.#sandboxes.get(sandboxId);
    if (state !== 'ready') throw new RuntimeError('create', `sandbox container ${sandboxId} is not running`);
    const image = await findImage(this.#images, config.image);
    if (!image) throw new RuntimeError('image', `failed to resolve image ${JSON.stringify(config.image)}: not found`);
    return this.#containers.create(sandboxId, config, sandbox, image);
  }

  startContainer(id: string): Promise<void> {
    return this.#containers.start(id);
  }

  stopContainer(id: string, gracePeriodSeconds: number): Promise<void> {
    return this.#containers.stop(id, gracePeriodSeconds);
  }

  removeContainer(id: string): Promise<void> {
    return this.#containers.remove(id);
  }

  async listContainers(podUid?: string): Promise<readonly ContainerStatus[]> {
    this.#containers.sweep();
    const found: ContainerStatus[] = [];
    for (const record of this.#containers.records.values())
      if (podUid === undefined || record.config.labels[podUidLabel] === podUid)
        found.push(this.#containers.status(record));
    return found;
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    const record = this.#containers.records.get(id);
    return record && this.#containers.status(record);
  }

  async updateContainerResources(id: string, resources: ContainerResources): Promise<void> {
    this.#containers.updateResources(id, resources);
  }

  async reopenContainerLog(id: string): Promise<void> {
    this.#containers.running(id);
    await this.#shim.request('reopen', id);
  }

  async containerStats(): Promise<readonly ContainerStats[]> {
    const stats: ContainerStats[] = [];
    for (const { id, sandboxId, config, state, cgroup } of this.#containers.records.values()) {
      const usage = state === 'running' ? this.#cgroups.usage(cgroup) : undefined;
      const writableLayer = { directory: join(this.#state.container(id), 'upper') };
      if (usage) stats.push({ id, name: config.name, sandboxId, writableLayer, ...usage });
    }
    return stats;
  }

  async exec(id: string, command: readonly string[], options: ExecOptions): Promise<ExecSession> {
    await ownTurn(); // starting a process takes a while
    const record = this.#containers.running(id);
    const { runtimeRoot } = this.#state;
    const name = `exec-${process.pid}-${++this.#execs}`;
    const { clock } = this.#options;
    const parts = { runtime: this.#machine.oci, runtimeRoot, directory: this.#state.container(id), name, clock };
    return startExec(record, command, options, parts);
  }

  async execSync(id: string, command: readonly string[], timeoutMs: number) {
    const session = await this.exec(id, command, { stdin: false, tty: false });
    return execToEnd(session, timeoutMs, this.#options.clock);
  }

  async attach(id: string, options: ExecOptions): Promise<ExecSession> {
    const record = this.#containers.running(id);
    return attachSession(await this.#shim.attach(id), record, options, this.#containers.end(id));
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const { config, state } = this.#sandboxes.get(sandboxId);
    if (state !== 'ready') throw new RuntimeError('not-found', `sandbox ${sandboxId} is not running`);
    const file = config.hostNetwork ? undefined : this.#sandboxes.netFile(sandboxId);
    return this.#forwarder.connect(
      port,
      file,
      join(dirname(keeperSocket(this.#options.root)), `pf-${sandboxId.slice(0, 12)}.sock`),
    );
  }

  async listImages(): Promise<readonly Image[]> {
    return this.#images.list();
  }

  imageStatus(reference: string): Promise<Image | undefined> {
    return findImage(this.#images, reference);
  }

  async pullImage(reference: string, auth?: RegistryAuth, signal?: AbortSignal): Promise<string> {
    return (await pullImage(this.#images, this.#options.clock, reference, auth, signal)).id;
  }

  async imageDirectory(): Promise<string> {
    return this.#options.imageDirectory ?? join(this.#options.root, 'images');
  }

  removeImage(id: string): Promise<void> {
    return this.#images.remove(id);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.events(signal);
  }

  async destroyAll(): Promise<void> {
    this.#containers.close();
    this.#sandboxes.close();
    await destroy(this.#options.root, this.#shim, this.#network, this.#cgroups, this.#options.clock);
    this.#containers.records.clear();
    this.#sandboxes.records.clear();
  }

  async close(): Promise<void> {
    this.#containers.close();
    this.#sandboxes.close();
    this.#shim.close();
  }

  #podOf(sandboxId: string): string {
    return this.#sandboxes.records.get(sandboxId)?.config.uid ?? '';
  }

  #in(sandboxId: string): string[] {
    return [...this.#containers.records.values()].filter((c) => c.sandboxId === sandboxId).map((c) => c.id);
  }
}
