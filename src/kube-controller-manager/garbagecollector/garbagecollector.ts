// Deletes objects whose owners are all gone, delays owners deleted in the foreground until their blocking dependents
// are gone, and removes references to owners that are deleted as orphaning.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/

import type { KubeObject } from '../../api/api.ts';
import type { Controller, InformerFactory } from '../../client/client.ts';
import type { DiscoveredResource } from '../shared/discovery.ts';
import { Collector } from './collector.ts';
import { foregroundFinalizer, GarbageGraph, isGoing } from './graph.ts';
import { changesServing, ServedKinds } from './served-kinds.ts';

/** A new controller for each start: it has the graph of all objects. Its keys are uids. */
export function garbagecollector(): Controller {
  const graph = new GarbageGraph();
  let collector: Collector | undefined;
  return {
    name: 'garbagecollector',
    watches: [],
    workers: 20,
    async start(tools, enqueue, informers) {
      const kinds = new ServedKinds(tools, informers, (...change) => {
        for (const uid of noteChange(graph, ...change)) enqueue(uid);
      });
      collector = new Collector(graph, kinds, enqueue);
      const unwatch = followDefinitions(kinds, informers);
      await kinds.start();
      return () => {
        unwatch();
        kinds.stop();
      };
    },
    async reconcile(uid, tools) {
      await collector?.collect(uid, tools);
    },
  };
}

/** A new kind is followed at once, not with the next regular discovery. */
const followDefinitions = (kinds: ServedKinds, informers: InformerFactory): (() => void) =>
  informers.for('customresourcedefinitions').handle((next, previous) => {
    if (changesServing(next, previous)) void kinds.rediscover();
  });

/** Updates the graph. Yields the uids of objects to check. */
function* noteChange(
  graph: GarbageGraph,
  resource: DiscoveredResource,
  next: KubeObject | undefined,
  previous: KubeObject | undefined,
): Iterable<string> {
  const uid = (next ?? previous)?.metadata.uid ?? '';
  const ownersBefore = previous?.metadata.ownerReferences ?? [];
  if (!next) {
    const dependents = graph.dependentsOf(uid);
    graph.remove(uid);
    yield* dependents.map((dependent) => dependent.uid);
    for (const owner of ownersBefore) yield* ifForeground(graph, owner.uid);
    return;
  }
  if (previous) graph.disown(uid, previous, next);
  graph.put(resource, next);
  const { ownerReferences = [], deletionTimestamp, finalizers } = next.metadata;
  const isNews = !previous || JSON.stringify(ownersBefore) !== JSON.stringify(ownerReferences);
  if (deletionTimestamp && finalizers?.length) yield uid;
  else if (isNews && ownerReferences.length) yield uid;
  if (isNews) for (const owner of [...ownersBefore, ...ownerReferences]) yield* ifForeground(graph, owner.uid);
}

/** An owner that waits for its dependents may have one less, or a new one to delete. */
function* ifForeground(graph: GarbageGraph, uid: string): Iterable<string> {
  const owner = graph.get(uid);
  if (owner && isGoing(owner.object, foregroundFinalizer)) yield uid;
}
