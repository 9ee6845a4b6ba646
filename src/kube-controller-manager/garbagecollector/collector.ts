// Decides on one object at a time, by the graph and the server's current state.

import { ignoreNotFound, type KubeObject, type OwnerReference } from '../../api/api.ts';
import { type Name, settleEach, TerminalError, type Tools } from '../../client/client.ts';
import { blocks, foregroundFinalizer, type GarbageGraph, type GraphNode, isGoing, orphanFinalizer } from './graph.ts';
import type { ServedKinds } from './served-kinds.ts';

const nameOf = ({ metadata: { name, namespace } }: KubeObject): Name => ({ name, ...(namespace && { namespace }) });

type Propagation = 'Foreground' | 'Background' | 'Orphan';

interface Owners {
  readonly solid: readonly OwnerReference[];
  readonly dangling: readonly OwnerReference[];
  /** Owners that are deleted in the foreground. */
  readonly waiting: readonly OwnerReference[];
}

export class Collector {
  readonly #graph: GarbageGraph;
  readonly #kinds: Pick<ServedKinds, 'find'>;
  readonly #enqueue: (uid: string) => void;

  constructor(graph: GarbageGraph, kinds: Pick<ServedKinds, 'find'>, enqueue: (uid: string) => void) {
    this.#graph = graph;
    this.#kinds = kinds;
    this.#enqueue = enqueue;
  }

  async collect(uid: string, tools: Tools): Promise<void> {
    const node = this.#graph.get(uid);
    if (!node) return;
    if (isGoing(node.object, orphanFinalizer)) return this.#orphan(node, tools);
    if (isGoing(node.object, foregroundFinalizer)) return this.#deleteDependents(node, tools);
    if (node.object.metadata.deletionTimestamp || !node.object.metadata.ownerReferences?.length) return;
    // The cache may be stale: the owners on the server decide.
    const live = await liveObject(node, tools);
    if (live && !live.metadata.deletionTimestamp) await this.#judge(node, live, tools);
  }

  async #judge(node: GraphNode, live: KubeObject, tools: Tools): Promise<void> {
    const { solid, dangling, waiting } = await this.#ownersOf(live, tools);
    if (solid.length > 0) {
      if (dangling.length + waiting.length > 0) await keepOwners(node, live, solid, tools);
      return;
    }
    if (dangling.length + waiting.length === 0) return;
    const dependents = this.#graph.dependentsOf(node.uid);
    if (waiting.length > 0 && dependents.length > 0) return deleteInForeground(node, live, dependents, tools);
    const { finalizers = [] } = live.metadata;
    if (finalizers.includes(orphanFinalizer)) return remove(node, live, 'Orphan', tools);
    return remove(node, live, finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background', tools);
  }

  async #ownersOf(live: KubeObject, tools: Tools): Promise<Owners> {
    const owners = { solid: [], dangling: [], waiting: [] } as { [Group in keyof Owners]: OwnerReference[] };
    for (const reference of live.metadata.ownerReferences ?? []) {
      const owner = await this.#ownerOf(live, reference, tools);
      const group = !owner ? 'dangling' : isGoing(owner, foregroundFinalizer) ? 'waiting' : 'solid';
      owners[group].push(reference);
    }
    return owners;
  }

  /** The owner from the graph, or else from the server. */
  async #ownerOf(dependent: KubeObject, reference: OwnerReference, tools: Tools): Promise<KubeObject | undefined> {
    const { namespace } = dependent.metadata;
    const group = reference.apiVersion.includes('/') ? reference.apiVersion.split('/')[0] : '';
    const coordinates = [group, reference.kind, namespace, reference.name, reference.uid].join(' ');
    if (this.#graph.isAbsent(reference.uid) || this.#graph.isAbsent(coordinates)) return undefined;
    const cached = this.#graph.get(reference.uid);
    if (cached && isNamedBy(cached, reference, group, namespace)) return cached.object;
    const resource = this.#kinds.find(group, reference.kind);
    if (!resource) throw new Error(`owner of unknown kind ${reference.apiVersion} ${reference.kind}`);
    if (resource.namespaced && !namespace)
      throw new TerminalError(`a cluster-scoped object names a namespaced owner, ${reference.kind} ${reference.name}`);
    const name = { name: reference.name, ...(resource.namespaced && { namespace }) };
    const live = await tools.client.get(resource, name).catch(ignoreNotFound);
    if (live?.metadata.uid === reference.uid) return live;
    // The uid may exist elsewhere, and be the owner of other objects.
    this.#graph.noteAbsent(coordinates);
    return undefined;
  }

  /** Deletes blocking dependents first; removes the finalizer, which frees the owner, when none is left. */
  async #deleteDependents(node: GraphNode, tools: Tools): Promise<void> {
    const blocking = this.#graph.dependentsOf(node.uid).filter(({ object }) => blocks(object, node.uid));
    if (blocking.length === 0) return removeFinalizer(node, foregroundFinalizer, tools);
    for (const dependent of blocking) if (!dependent.object.metadata.deletionTimestamp) this.#enqueue(dependent.uid);
  }

  async #orphan(node: GraphNode, tools: Tools): Promise<void> {
    const results = await settleEach(this.#graph.dependentsOf(node.uid), async (dependent) => {
      const live = await liveObject(dependent, tools);
      const others = live?.metadata.ownerReferences?.filter((owner) => owner.uid !== node.uid);
      if (live && others && others.length !== live.metadata.ownerReferences?.length)
        await keepOwners(dependent, live, others, tools);
    });
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    await removeFinalizer(node, orphanFinalizer, tools);
  }
}

/** Whether a reference from `namespace` means this object. */
const isNamedBy = (
  { resource, object: { metadata } }: GraphNode,
  { kind, name }: OwnerReference,
  group: string,
  namespace: string | undefined,
): boolean =>
  resource.kind === kind &&
  resource.group === group &&
  metadata.name === name &&
  (!metadata.namespace || metadata.namespace === namespace);

async function liveObject(node: GraphNode, { client }: Tools): Promise<KubeObject | undefined> {
  const live = await client.get(node.resource, nameOf(node.object)).catch(ignoreNotFound);
  return live?.metadata.uid === node.uid ? live : undefined;
}

/** Owners in a cycle would block each other forever: the edge that closes the cycle does not block. */
async function deleteInForeground(
  node: GraphNode,
  live: KubeObject,
  dependents: readonly GraphNode[],
  tools: Tools,
): Promise<void> {
  const closes = dependents.some(({ object }) => isGoing(object, foregroundFinalizer));
  const owners = live.metadata.ownerReferences ?? [];
  if (!closes || !owners.some((owner) => owner.blockOwnerDeletion)) return remove(node, live, 'Foreground', tools);
  const loosened = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
  const patched = await keepOwners(node, live, loosened, tools);
  if (patched) await remove(node, patched, 'Foreground', tools);
}

async function remove(node: GraphNode, live: KubeObject, propagationPolicy: Propagation, tools: Tools): Promise<void> {
  const { uid, resourceVersion } = live.metadata;
  const preconditions = { uid, resourceVersion };
  tools.logger.debug('deleting', { kind: node.resource.kind, ...nameOf(live), propagationPolicy });
  await tools.client.delete(node.resource, nameOf(live), { propagationPolicy, preconditions }).catch(ignoreNotFound);
}

async function keepOwners(
  node: GraphNode,
  live: KubeObject,
  ownerReferences: readonly OwnerReference[],
  { client }: Tools,
): Promise<KubeObject | undefined> {
  const { uid, resourceVersion } = live.metadata;
  const body = { metadata: { uid, resourceVersion, ownerReferences } };
  return client.patch(node.resource, nameOf(live), { type: 'merge', body }).catch(ignoreNotFound);
}

async function removeFinalizer(node: GraphNode, finalizer: string, tools: Tools): Promise<void> {
  const live = await liveObject(node, tools);
  if (!live?.metadata.finalizers?.includes(finalizer)) return;
  const { uid, resourceVersion } = live.metadata;
  const finalizers = live.metadata.finalizers.filter((name) => name !== finalizer);
  const body = { metadata: { uid, resourceVersion, finalizers } };
  await tools.client.patch(node.resource, nameOf(live), { type: 'merge', body }).catch(ignoreNotFound);
}
