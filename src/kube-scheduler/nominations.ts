// Pods that wait until preempted pods have left a node: that node is nominated for them, and their requests count there.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#user-exposed-information

import type { PodInfo } from './pod-info.ts';

const none: ReadonlyMap<string, PodInfo> = new Map();

export class Nominations {
  readonly #nodeOf = new Map<string, string>();
  readonly #byNode = new Map<string, Map<string, PodInfo>>();

  get size(): number {
    return this.#nodeOf.size;
  }

  set(info: PodInfo, node: string): void {
    const { uid } = info.pod.metadata;
    this.delete(uid);
    this.#nodeOf.set(uid, node);
    const pods = this.#byNode.get(node);
    if (pods) pods.set(uid, info);
    else this.#byNode.set(node, new Map([[uid, info]]));
  }

  delete(uid: string): void {
    const node = this.#nodeOf.get(uid);
    if (node === undefined) return;
    this.#nodeOf.delete(uid);
    const pods = this.#byNode.get(node);
    pods?.delete(uid);
    if (pods?.size === 0) this.#byNode.delete(node);
  }

  /** The node that is nominated for the pod. */
  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  /** Pods by uid for which this node is nominated. */
  on(node: string): ReadonlyMap<string, PodInfo> {
    return this.#byNode.get(node) ?? none;
  }
}
