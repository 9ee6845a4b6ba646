// All nodes with their pods, including pods that were assigned a node and are not bound in the API yet ("assumed").

import type { Node, Pod, Service } from '../api/api.ts';
import { type Devices, noDevices } from './devices/devices.ts';
import type { Snapshot } from './framework.ts';
import { NodeInfo, zoneKey } from './node-info.ts';
import { Nominations } from './nominations.ts';
import { affinityRules, controllerUid, hasPodAffinity, type PodInfo, type Requests } from './pod-info.ts';
import { noStorage, type Storage } from './storage.ts';

const nobody: ReadonlyMap<string, number> = new Map();
const noImages: ReadonlyMap<string, number> = new Map();

export class SchedulerCache implements Snapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Pods whose node is unknown. */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();
  /** Node by pod uid, of assigned and assumed pods. */
  readonly #placed = new Map<string, string>();
  #list: NodeInfo[] | undefined;
  /** Number of pods with rules about other pods, by node. */
  readonly #affinity = new Map<string, number>();
  /** Number of rules of placed pods about other pods. */
  affinityRules = 0;
  readonly nodesWithPodAffinity: ReadonlySet<string> = new Set();
  /** Number of placed pods by priority: few keys for any number of pods. */
  readonly #priorities = new Map<number, number>();
  /** Number of placed pods by their controller's uid and by node. */
  readonly #siblings = new Map<string, Map<string, number>>();
  /** Number of placed pods by the key of a claim. */
  readonly #claims = new Map<string, number>();
  /** Number of nodes that have a zone. */
  #zoned = 0;
  /** Number of nodes by image name. */
  readonly #images = new Map<string, number>();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  /** Selectors of services by namespace and name. */
  readonly #services = new Map<string, Map<string, Readonly<Record<string, string>>>>();
  readonly nominations = new Nominations();
  readonly #preempted = new Set<string>();
  storage: Storage = noStorage;
  devices: Devices = noDevices;

  get nodes(): readonly NodeInfo[] {
    this.#list ??= [...this.#nodes.values()];
    return this.#list;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const existing = this.#nodes.get(name);
    if (existing) {
      const { node: before, images } = existing;
      existing.setNode(node);
      this.#countZone(before, -1);
      this.#countZone(node, 1);
      return this.#countImages(images, existing.images);
    }
    const info = new NodeInfo(node);
    this.#countImages(noImages, info.images);
    this.#countZone(node, 1);
    for (const pod of this.#homeless.get(name)?.values() ?? []) info.add(pod);
    this.#homeless.delete(name);
    this.#nodes.set(name, info);
    this.#list = undefined;
  }

  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaces.get(name);
  }

  setService({ metadata, spec }: Service, isGone: boolean): void {
    const { name, namespace = '' } = metadata;
    let services = this.#services.get(namespace);
    const { selector } = spec ?? {};
    if (isGone || !selector || Object.keys(selector).length === 0) services?.delete(name);
    else {
      if (!services) this.#services.set(namespace, (services = new Map()));
      services.set(name, selector);
    }
  }

  serviceSelector({ metadata }: Pod): Readonly<Record<string, string>> {
    const { labels, namespace = '' } = metadata;
    const merged: Record<string, string> = {};
    for (const selector of (labels && this.#services.get(namespace)?.values()) || [])
      if (Object.entries(selector).every(([key, value]) => labels?.[key] === value)) Object.assign(merged, selector);
    return merged;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    this.#nodes.delete(name);
    this.#countImages(info.images, noImages);
    this.#countZone(info.node, -1);
    this.#list = undefined;
    if (info.pods.size > 0) this.#homeless.set(name, new Map(info.pods));
  }

  /** Places the pod on the node, bound or assumed. */
  place(info: PodInfo, nodeName: string): void {
    const { uid } = info.pod.metadata;
    this.nominations.delete(uid);
    const before = this.#placed.get(uid);
    if (before !== undefined && before !== nodeName) this.remove(uid);
    // An update may change the counted values: a controller adopts a pod.
    const previous = this.#infoOf(uid);
    if (previous) this.#count(previous, nodeName, -1);
    this.#count(info, nodeName, 1);
    this.#placed.set(uid, nodeName);
    const node = this.#nodes.get(nodeName);
    if (node) return node.add(info);
    let waiting = this.#homeless.get(nodeName);
    if (!waiting) this.#homeless.set(nodeName, (waiting = new Map()));
    waiting.set(uid, info);
  }

  /** Number of placed pods. */
  get size(): number {
    return this.#placed.size;
  }

  isPlaced(uid: string): boolean {
    return this.#placed.has(uid);
  }

  /** The pod is to leave its node for one of a higher priority; false takes that back. */
  setPreempted(uid: string, preempted: boolean): void {
    if (preempted && this.#placed.has(uid)) this.#preempted.add(uid);
    else this.#preempted.delete(uid);
  }

  isPreempted(uid: string): boolean {
    return this.#preempted.has(uid);
  }

  #infoOf(uid: string): PodInfo | undefined {
    const nodeName = this.#placed.get(uid);
    if (nodeName === undefined) return undefined;
    return this.#nodes.get(nodeName)?.pods.get(uid) ?? this.#homeless.get(nodeName)?.get(uid);
  }

  requestsOf(uid: string): Requests | undefined {
    return this.#infoOf(uid)?.requests;
  }

  remove(uid: string): void {
    this.#preempted.delete(uid);
    const nodeName = this.#placed.get(uid);
    if (nodeName === undefined) return;
    const info = this.#infoOf(uid);
    this.#placed.delete(uid);
    if (info) this.#count(info, nodeName, -1);
    this.#nodes.get(nodeName)?.remove(uid);
    const waiting = this.#homeless.get(nodeName);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#homeless.delete(nodeName);
  }

  siblings(controllerUid: string): ReadonlyMap<string, number> {
    return this.#siblings.get(controllerUid) ?? nobody;
  }

  claimUsers(key: string): number {
    return this.#claims.get(key) ?? 0;
  }

  get hasZones(): boolean {
    return this.#zoned > 0;
  }

  #countZone({ metadata }: Node, by: 1 | -1): void {
    if (metadata.labels?.[zoneKey] !== undefined) this.#zoned += by;
  }

  nodesWithImage(name: string): number {
    return this.#images.get(name) ?? 0;
  }

  #countImages(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): void {
    if (before === after) return;
    for (const name of before.keys()) {
      const count = (this.#images.get(name) ?? 0) - 1;
      if (count > 0) this.#images.set(name, count);
      else this.#images.delete(name);
    }
    for (const name of after.keys()) this.#images.set(name, (this.#images.get(name) ?? 0) + 1);
  }

  lowestPriority(): number {
    return Math.min(...this.#priorities.keys());
  }

  #count(info: PodInfo, nodeName: string, by: 1 | -1): void {
    const count = (this.#priorities.get(info.priority) ?? 0) + by;
    if (count > 0) this.#priorities.set(info.priority, count);
    else this.#priorities.delete(info.priority);
    this.#countAffinity(info, nodeName, by);
    this.#countSibling(info, nodeName, by);
    for (const claim of info.claims) {
      const users = (this.#claims.get(claim) ?? 0) + by;
      if (users > 0) this.#claims.set(claim, users);
      else this.#claims.delete(claim);
    }
  }

  #countSibling({ pod }: PodInfo, nodeName: string, by: 1 | -1): void {
    const uid = controllerUid(pod);
    if (!uid || pod.metadata.deletionTimestamp) return;
    let nodes = this.#siblings.get(uid);
    if (!nodes) this.#siblings.set(uid, (nodes = new Map()));
    const count = (nodes.get(nodeName) ?? 0) + by;
    if (count > 0) nodes.set(nodeName, count);
    else nodes.delete(nodeName);
    if (nodes.size === 0) this.#siblings.delete(uid);
  }

  #countAffinity(info: PodInfo, nodeName: string, by: 1 | -1): void {
    if (!hasPodAffinity(info)) return;
    this.affinityRules += by * affinityRules(info);
    const count = (this.#affinity.get(nodeName) ?? 0) + by;
    const nodes = this.nodesWithPodAffinity as Set<string>;
    if (count > 0) {
      this.#affinity.set(nodeName, count);
      nodes.add(nodeName);
    } else {
      this.#affinity.delete(nodeName);
      nodes.delete(nodeName);
    }
  }
}
