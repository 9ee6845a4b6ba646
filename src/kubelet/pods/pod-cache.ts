// The runtime's state by pod: the pod lifecycle event generator (PLEG) and its cache.

import {
  type ContainerRuntime,
  type ContainerStatus,
  podUidLabel,
  type Sandbox,
} from '../../container-runtime/container-runtime.ts';
import type { RuntimePod } from './pod-actions.ts';

export { podUidLabel };
export const podNameLabel = 'io.kubernetes.pod.name';
export const podNamespaceLabel = 'io.kubernetes.pod.namespace';
export const containerNameLabel = 'io.kubernetes.container.name';

const nothing: RuntimePod = { sandboxes: [], containers: [] };

/** One reading of the runtime at a time for each scope; calls during a reading share the next one. */
interface Reading {
  readonly running: Promise<void>;
  next?: Promise<void>;
}

export class PodCache {
  readonly #runtime: ContainerRuntime;
  readonly #changed: (uid: string) => void;
  readonly #pods = new Map<string, Known>();
  /** By uid; '' for the relist of all pods. */
  readonly #readings = new Map<string, Reading>();
  /** Readings that have begun so far. */
  #begun = 0;
  /** Why the last relist failed, undefined when it worked. */
  error: string | undefined;

  /** `changed` gets the uid of each pod whose sandboxes or containers changed state. */
  constructor(runtime: ContainerRuntime, changed: (uid: string) => void) {
    this.#runtime = runtime;
    this.#changed = changed;
  }

  get(uid: string): RuntimePod {
    return this.#pods.get(uid)?.pod ?? nothing;
  }

  /** Cached pods, including records of removed ones. */
  get size(): number {
    return this.#pods.size;
  }

  uids(): readonly string[] {
    return [...this.#pods.keys()].filter((uid) => this.#pods.get(uid)?.mark);
  }

  /** Resolves when the cache shows the state of the pod, or of all pods, at the time of the call. */
  refresh(uid = ''): Promise<void> {
    const reading = this.#readings.get(uid);
    if (!reading) {
      const running = this.#read(uid).finally(() => this.#readings.delete(uid));
      this.#readings.set(uid, { running });
      return running;
    }
    // The running reading may have read too early: all calls during it share the next one.
    reading.next ??= reading.running.catch(() => {}).then(() => this.refresh(uid));
    return reading.next;
  }

  async #read(uid: string): Promise<void> {
    const begun = ++this.#begun;
    try {
      const [sandboxes, containers] = await Promise.all([
        this.#runtime.listPodSandboxes(uid || undefined),
        this.#runtime.listContainers(uid || undefined),
      ]);
      const pods = group(sandboxes, containers);
      for (const found of uid ? [uid] : new Set([...this.#pods.keys(), ...pods.keys()]))
        this.#note(found, pods.get(found) ?? nothing, begun, this.#readings.has(uid ? '' : found));
      this.error = undefined;
    } catch (error) {
      this.error = (error as Error).message;
      throw error;
    }
  }

  /** A reading that began before the cached one is dropped; `isReadElsewhere`: another reading may still run. */
  #note(uid: string, pod: RuntimePod, begun: number, isReadElsewhere: boolean): void {
    const cached = this.#pods.get(uid);
    if (cached && cached.begun > begun) return;
    const mark = markOf(pod);
    // A removed pod stays recorded while another reading runs, which may still contain it.
    if (mark || isReadElsewhere) this.#pods.set(uid, { pod, mark, begun });
    else this.#pods.delete(uid);
    if ((cached?.mark ?? '') !== mark) this.#changed(uid);
  }
}

interface Known {
  readonly pod: RuntimePod;
  /** '' without sandboxes and containers. */
  readonly mark: string;
  /** When the reading began that showed this. */
  readonly begun: number;
}

/** Enough of an id to distinguish those of one pod; a mark is kept for each pod. */
const idLength = 12;
/** Pods of many containers are read after each change: their mark is a hash of the containers. */
export const manyContainers = 64;

function markOf(pod: RuntimePod): string {
  const sandboxes = pod.sandboxes.map((s) => `${s.id.slice(0, idLength)}${s.state}${s.ips[0] ?? ''}`);
  if (pod.containers.length > manyContainers) return [...sandboxes.sort(), hashOfAll(pod.containers)].join();
  return [...sandboxes, ...pod.containers.map((c) => `${c.id.slice(0, idLength)}${c.state}`)].sort().join();
}

const hashes = new WeakMap<ContainerStatus, { state: string; hash: number }>();

/** Independent of order: a sum and an exclusive or of the containers' hashes. */
function hashOfAll(containers: readonly ContainerStatus[]): string {
  let sum = 0;
  let mixed = 0;
  for (const container of containers) {
    let cached = hashes.get(container);
    if (cached?.state !== container.state) {
      cached = { state: container.state, hash: hashOf(`${container.id}${container.state}`) };
      hashes.set(container, cached);
    }
    sum = (sum + cached.hash) | 0;
    mixed ^= Math.imul(cached.hash, 0x9e3779b1);
  }
  return `${containers.length}:${sum}:${mixed}`;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

function group(sandboxes: readonly Sandbox[], containers: readonly ContainerStatus[]): Map<string, RuntimePod> {
  const pods = new Map<string, { sandboxes: Sandbox[]; containers: ContainerStatus[] }>();
  const podOf = (uid: string) => {
    let pod = pods.get(uid);
    if (!pod) pods.set(uid, (pod = { sandboxes: [], containers: [] }));
    return pod;
  };
  const uidOfSandbox = new Map<string, string>();
  for (const sandbox of sandboxes) {
    uidOfSandbox.set(sandbox.id, sandbox.config.uid);
    podOf(sandbox.config.uid).sandboxes.push(sandbox);
  }
  for (const container of containers) {
    const uid = uidOfSandbox.get(container.sandboxId) ?? container.labels[podUidLabel];
    if (uid) podOf(uid).containers.push(container);
  }
  // As copies without spare capacity.
  for (const pod of pods.values()) {
    pod.sandboxes = pod.sandboxes.toSorted((a, b) => b.createdAt - a.createdAt || b.config.attempt - a.config.attempt);
    pod.containers = pod.containers.toSorted((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt);
  }
  return pods;
}
