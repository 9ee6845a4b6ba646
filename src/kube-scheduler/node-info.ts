// The scheduler's record of a node: its capacity and its pods' requests, updated pod by pod.

import type { Node, Pod, Taint } from '../api/api.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';
import { spendEffort } from '../machinery/time/effort.ts';
import { addCount } from './counts.ts';
import type { PodInfo } from './pod-info.ts';

const mostConditions = 64;
const noTaints: readonly Taint[] = [];

export const zoneKey = 'topology.kubernetes.io/zone';

export class NodeInfo {
  readonly name: string;
  node!: Node;
  /** Of the node's spec: filters read them for each pod, and find them here without a detour through the node. */
  isCordoned = false;
  taints: readonly Taint[] = noTaints;
  /** Increases with every change: results for an older generation are stale. */
  generation = 0;
  readonly pods = new Map<string, PodInfo>();
  readonly allocatable = {
    cpuMillis: 0,
    memoryBytes: 0,
    ephemeralStorageBytes: 0,
    pods: 0,
    scalars: new Map<string, number>(),
  };
  readonly requested = { cpuMillis: 0, memoryBytes: 0, ephemeralStorageBytes: 0, scalars: new Map<string, number>() };
  readonly scored = { cpuMillis: 0, memoryBytes: 0 };
  /** Number of pods by protocol, address and port. */
  readonly usedPorts = new Map<string, number>();
  /** Same, by protocol and port: a pod may want the port on every address. */
  readonly usedOnAny = new Map<string, number>();
  /** Size in bytes by every name of an image that the node has. */
  images: ReadonlyMap<string, number> = new Map();
  #imagesOf: unknown;
  /** Since the last change of the pods, by condition. */
  readonly #matching = new Map<string, number>();

  constructor(node: Node) {
    this.name = node.metadata.name;
    this.setNode(node);
  }

  setNode(node: Node): void {
    this.node = node;
    this.isCordoned = node.spec?.unschedulable ?? false;
    this.taints = node.spec?.taints ?? noTaints;
    this.generation++;
    const list = node.status?.allocatable ?? {};
    this.allocatable.cpuMillis = list['cpu'] ? milliValue(list['cpu']) : 0;
    this.allocatable.memoryBytes = list['memory'] ? wholeValue(list['memory']) : 0;
    this.allocatable.ephemeralStorageBytes = list['ephemeral-storage'] ? wholeValue(list['ephemeral-storage']) : 0;
    this.allocatable.pods = list['pods'] ? wholeValue(list['pods']) : 0;
    this.allocatable.scalars.clear();
    for (const name in list)
      if (name !== 'cpu' && name !== 'memory' && name !== 'ephemeral-storage' && name !== 'pods')
        this.allocatable.scalars.set(name, wholeValue(list[name]));
    if (this.#imagesOf === node.status?.images) return;
    this.#imagesOf = node.status?.images;
    this.images = new Map(
      (node.status?.images ?? []).flatMap((image) =>
        (image.names ?? []).map((name) => [name, image.sizeBytes ?? 0] as const),
      ),
    );
  }

  add(info: PodInfo): void {
    const previous = this.pods.get(info.pod.metadata.uid);
    if (previous) this.#count(previous, -1);
    this.pods.set(info.pod.metadata.uid, info);
    this.#count(info, 1);
  }

  remove(uid: string): void {
    const info = this.pods.get(uid);
    if (!info) return;
    this.pods.delete(uid);
    this.#count(info, -1);
  }

  /**
   * The number of pods that match. Pods of one controller ask the same of thousands of nodes, of which few change from one
   * pod to the next. `condition` is a text that is the same for the same `matches`, which may depend on the pod alone.
   */
  matching(condition: string, matches: (pod: Pod) => boolean): number {
    spendEffort(1);
    if (this.pods.size === 0) return 0;
    const before = this.#matching.get(condition);
    if (before !== undefined) return before;
    spendEffort(this.pods.size);
    let count = 0;
    for (const { pod } of this.pods.values()) if (matches(pod)) count++;
    if (this.#matching.size >= mostConditions) this.#matching.clear();
    this.#matching.set(condition, count);
    return count;
  }

  /** A copy to remove pods from, for a simulation. */
  copy(): NodeInfo {
    const copy = new NodeInfo(this.node);
    for (const info of this.pods.values()) copy.add(info);
    return copy;
  }

  #count({ requests, scoredRequests, hostPorts }: PodInfo, sign: 1 | -1): void {
    spendEffort(hostPorts.length);
    this.generation++;
    if (this.#matching.size > 0) this.#matching.clear();
    this.requested.cpuMillis += sign * requests.cpuMillis;
    this.requested.memoryBytes += sign * requests.memoryBytes;
    this.requested.ephemeralStorageBytes += sign * requests.ephemeralStorageBytes;
    for (const [name, amount] of requests.scalars)
      this.requested.scalars.set(name, (this.requested.scalars.get(name) ?? 0) + sign * amount);
    this.scored.cpuMillis += sign * scoredRequests.cpuMillis;
    this.scored.memoryBytes += sign * scoredRequests.memoryBytes;
    for (const { protocol, ip, port } of hostPorts) {
      addCount(this.usedPorts, `${protocol} ${ip} ${port}`, sign);
      addCount(this.usedOnAny, `${protocol} ${port}`, sign);
    }
  }
}
