// The workers of the node's pods, by uid.

import type { Pod } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { byResizeOrder } from '../resources/resize-order.ts';
import type { KubeletTools } from '../tools.ts';
import { PodRunner } from './pod-runner.ts';
import { preempting } from './preemption.ts';

export class PodWorkers {
  readonly #byUid = new Map<string, PodRunner>();
  readonly #finished: ((uid: string) => void)[] = [];

  all(): readonly PodRunner[] {
    return [...this.#byUid.values()];
  }

  pods(): readonly Pod[] {
    return this.all().map((worker) => worker.pod);
  }

  /** The pods whose resources are promised. */
  counted(): readonly Pod[] {
    return this.all()
      .filter((worker) => worker.isCounted && !worker.hasEnded)
      .map((worker) => worker.promised);
  }

  /** Those whose resources are promised, and that are to run: the others already stop. */
  running(): readonly Pod[] {
    return this.all()
      .filter((worker) => worker.isCounted && worker.isActive)
      .map((worker) => worker.promised);
  }

  preempt(uids: readonly string[]): void {
    const { message, ...manner } = preempting;
    for (const uid of uids) this.#byUid.get(uid)?.evict(message, { ...manner, isDisruption: true });
  }

  /** Those that run, or may. */
  active(): readonly Pod[] {
    return this.all()
      .filter((worker) => !worker.isFinished && !worker.hasEnded)
      .map((worker) => worker.pod);
  }

  get size(): number {
    return this.#byUid.size;
  }

  has(uid: string): boolean {
    return this.#byUid.has(uid);
  }

  wake(uid: string): void {
    this.#byUid.get(uid)?.wake();
  }

  /** Calls back with the uid of each pod of which the node has nothing any more. */
  onFinished(listener: (uid: string) => void): void {
    this.#finished.push(listener);
  }

  /** Handles a change of a pod in its source; `next` is undefined for a deleted one. */
  follow(tools: KubeletTools, next: Pod | undefined, old: Pod | undefined): void {
    const { uid } = must(next ?? old, 'object').metadata;
    const worker = this.#byUid.get(uid) ?? (next && this.#add(next, tools));
    worker?.update(next);
  }

  /** Stops running pods that are not in the API: they were deleted while this kubelet was stopped. */
  stopOrphans(tools: KubeletTools): void {
    for (const uid of tools.cache.uids()) {
      if (this.#byUid.has(uid)) continue;
      const [sandbox] = tools.cache.get(uid).sandboxes;
      const { name = 'unknown', namespace = 'unknown' } = sandbox?.config ?? {};
      const metadata = { name, namespace, uid } as Pod['metadata'];
      this.#add({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [] }, status: {} }, tools).update(
        undefined,
      );
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((worker) => worker.stop()));
  }

  #add(pod: Pod, tools: KubeletTools): PodRunner {
    const { uid } = pod.metadata;
    const worker = new PodRunner(pod, tools, () => {
      this.#byUid.delete(uid);
      const waiting = this.all().filter((each) => each.waitsForResize);
      for (const each of waiting.toSorted((a, b) => byResizeOrder(a.pod, b.pod))) each.wake();
      for (const listener of this.#finished) listener(uid);
    });
    this.#byUid.set(uid, worker);
    return worker;
  }
}
