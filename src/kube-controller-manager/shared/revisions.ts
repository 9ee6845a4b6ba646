// The history of DaemonSets and StatefulSets: one ControllerRevision for every template they had. kubectl rollout
// history and undo read them, and apply their data as a strategic merge patch.
// https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/

import {
  type ControllerRevision,
  ignoreNotFound,
  isAlreadyExists,
  type KubeObject,
  type PodTemplateSpec,
} from '../../api/api.ts';
import type { ResourceName } from '../../client/client.ts';
import { controllerReference, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { LabelSelectorSpec } from '../../machinery/selectors/label-selector.ts';
import { exact } from '../../machinery/text/exact-json.ts';
import { claim } from './claim.ts';
import { podTemplateHash } from './hash.ts';

export const revisionHashLabel = 'controller-revision-hash';

const dataOf = (template: PodTemplateSpec) => ({ spec: { template: { ...template, $patch: 'replace' } } });
const sameData = (revision: ControllerRevision, template: PodTemplateSpec): boolean =>
  deepEqual(withoutNulls(revision.data), withoutNulls(dataOf(template)));

/** Templates with an absent and a null field are equal. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? undefined;
  if (Array.isArray(value)) return value.map(withoutNulls);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)]));
}

/** Revisions have 64 bits, so some are bigints. */
const compareRevisions = (a: ControllerRevision, b: ControllerRevision): number =>
  a.revision < b.revision ? -1 : a.revision > b.revision ? 1 : 0;

const after = (revision: number | undefined): number => exact(BigInt(revision ?? 0) + 1n) as number;

export interface History {
  /** The revision of the template as it is now; it has the highest number. */
  readonly update: ControllerRevision;
  /** All, ascending. */
  readonly all: readonly ControllerRevision[];
  readonly collisionCount?: number;
}

/** An owner with a history of templates: a DaemonSet or a StatefulSet. */
type Revised = KubeObject & {
  readonly spec: { readonly template: PodTemplateSpec; readonly selector: LabelSelectorSpec };
  readonly status?: { readonly collisionCount?: number };
};

/** Reads the owner's history and adds its current template, or raises the number of an equal revision. */
export async function syncHistory(owner: Revised, resource: ResourceName, tools: Tools): Promise<History> {
  const found = await claim<ControllerRevision>(owner, resource, 'controllerrevisions', tools);
  const all = found.sort(compareRevisions);
  const { template } = owner.spec;
  const newest = all.at(-1);
  const equal = all.findLast((revision) => sameData(revision, template));
  if (equal && equal === newest) return { update: equal, all };
  const number = after(newest?.revision);
  if (equal) {
    const update = await tools.client.update('controllerrevisions', { ...equal, revision: number });
    return { update, all: [...all.filter((revision) => revision !== equal), update] };
  }
  const { update, collisionCount } = await create(owner, resource, number, tools);
  return { update, all: [...all, update], collisionCount };
}

async function create(owner: Revised, resource: ResourceName, revision: number, { client }: Tools) {
  const { template, selector } = owner.spec;
  for (
    let collisionCount: number | undefined = owner.status?.collisionCount;
    ;
    collisionCount = (collisionCount ?? 0) + 1
  ) {
    const hash = podTemplateHash(template, collisionCount);
    const { name, namespace, annotations } = owner.metadata;
    const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...inherited } = annotations ?? {};
    const draft = {
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, ...selector.matchLabels, [revisionHashLabel]: hash },
        annotations: inherited,
        ownerReferences: [controllerReference(owner, resource)],
      },
      data: dataOf(template),
      revision,
    };
    try {
      return { update: await client.create('controllerrevisions', draft), collisionCount };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const other = await client.get('controllerrevisions', { name: draft.metadata.name, namespace });
      if (sameData(other, template)) return { update: other, collisionCount };
    }
  }
}

/** The hash by which pods name their revision. */
export const hashOf = (revision: ControllerRevision): string =>
  revision.metadata.labels?.[revisionHashLabel] ?? revision.metadata.name.split('-').at(-1) ?? '';

/** Deletes the oldest revisions beyond the limit that no pod has. */
export async function trimHistory(
  { all, update }: History,
  limit: number | undefined,
  inUse: (revision: ControllerRevision) => boolean,
  { client }: Tools,
): Promise<void> {
  const idle = all.filter((revision) => revision !== update && !inUse(revision));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - (limit ?? 10))))
    await client
      .delete('controllerrevisions', { name: metadata.name, namespace: metadata.namespace })
      .catch(ignoreNotFound);
}
