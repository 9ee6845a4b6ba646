// What the runtime has, by pod: the pod lifecycle event generator (PLEG) and its cache.

import type { ContainerRuntime, ContainerStatus, Sandbox } from '../container-runtime/container-runtime.ts';
import type { RuntimePod } from './pod-actions.ts';

export const podUidLabel = 'io.kubernetes.pod.uid';
export const podNameLabel = 'io.kubernetes.pod.name';
export const podNamespaceLabel = 'io.kubernetes.pod.namespace';
export const containerNameLabel = 'io.kubernetes.container.name';

const nothing: RuntimePod = { sandboxes: [], containers: [] };

export class PodCache {
  readonly #runtime: ContainerRuntime;
  readonly #changed: (uid: string) => void;
  #pods = new Map<string, RuntimePod>();
  #marks = new Map<string, string>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Why the last relist failed, undefined when it worked. */
  error: string | undefined;
  lastRelistMs = 0;

  /** `changed` is told the uid of each pod whose sandboxes or containers changed state. */
  constructor(runtime: ContainerRuntime, changed: (uid: string) => void) {
    this.#runtime = runtime;
    this.#changed = changed;
  }

  get(uid: string): RuntimePod {
    return this.#pods.get(uid) ?? nothing;
  }

  uids(): readonly string[] {
    return [...this.#pods.keys()];
  }

  /** Resolves when the cache shows all that was true at the time of the call. Calls at one time share a relist. */
  refresh(): Promise<void> {
    if (!this.#running) {
      this.#running = this.#relist().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    // One is under way and may have read too early: everybody who asks meanwhile shares the one after it.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.refresh();
      });
    return this.#next;
  }

  async #relist(): Promise<void> {
    try {
      const [sandboxes, containers] = await Promise.all([
        this.#runtime.listPodSandboxes(),
        this.#runtime.listContainers(),
      ]);
      this.#replace(group(sandboxes, containers));
      this.error = undefined;
    } catch (error) {
      this.error = (error as Error).message;
      throw error;
    }
  }

  #replace(pods: Map<string, RuntimePod>): void {
    const marks = new Map<string, string>();
    for (const [uid, pod] of pods) marks.set(uid, markOf(pod));
    const old = this.#marks;
    this.#pods = pods;
    this.#marks = marks;
    for (const [uid, mark] of marks) if (old.get(uid) !== mark) this.#changed(uid);
    for (const uid of old.keys()) if (!marks.has(uid)) this.#changed(uid);
  }
}

const markOf = (pod: RuntimePod) =>
  [...pod.sandboxes.map((s) => `${s.id}${s.state}${s.ips[0] ?? ''}`), ...pod.containers.map((c) => `${c.id}${c.state}`)]
    .sort()
    .join();

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
  for (const pod of pods.values()) {
    pod.sandboxes.sort((a, b) => b.createdAt - a.createdAt || b.config.attempt - a.config.attempt);
    pod.containers.sort((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt);
  }
  return pods;
}
