// The earlier revisions of a workload's pod template, and the patches that bring them back: the rules of
// `kubectl rollout undo`. Deployments keep them in ReplicaSets, StatefulSets and DaemonSets in ControllerRevisions.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface Revision {
  readonly number: number;
  /** `kubernetes.io/change-cause` of that time. */
  readonly cause: string;
  readonly template: object;
  readonly patch: RevisionPatch;
}

interface RevisionPatch {
  readonly body: object;
  readonly contentType: 'application/json-patch+json' | 'application/strategic-merge-patch+json';
}

interface Workload {
  readonly metadata: {
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** The collection that keeps the revisions of a kind. */
export const revisionKeepers: Readonly<Record<string, 'replicasets' | 'controllerrevisions'>> = {
  'deployments.apps': 'replicasets',
  'statefulsets.apps': 'controllerrevisions',
  'daemonsets.apps': 'controllerrevisions',
};

const numberAnnotation = 'deployment.kubernetes.io/revision';
const causeAnnotation = 'kubernetes.io/change-cause';
const hash = 'pod-template-hash';

/** Of the keepers in one namespace; the newest first, without the current one. */
export function earlierRevisions({ metadata }: Workload, keepers: readonly unknown[]): Revision[] {
  const owned = keepers.map(fieldsIn).filter((keeper) => isControlledBy(keeper, metadata.uid));
  const all = owned.map(revisionOf).filter(({ number }) => number > 0);
  // A controller gives a template that comes back a number above all others.
  const newest = Math.max(0, ...all.map(({ number }) => number));
  const current = Number(metadata.annotations?.[numberAnnotation] ?? newest);
  return all.filter(({ number }) => number !== current).sort((a, b) => b.number - a.number);
}

type Fields = ReturnType<typeof fieldsIn>;

const isControlledBy = (keeper: Fields, uid: string | undefined): boolean =>
  listIn(fieldsIn(keeper['metadata'])['ownerReferences'])
    .map(fieldsIn)
    .some((owner) => owner['controller'] === true && owner['uid'] === uid);

function revisionOf(keeper: Fields): Revision {
  const annotations = fieldsIn(fieldsIn(keeper['metadata'])['annotations']);
  const cause = textIn(annotations[causeAnnotation]);
  const { data, revision } = keeper;
  if (data === undefined) {
    const template = withoutHash(fieldsIn(keeper['spec'])['template']);
    const body = [{ op: 'replace', path: '/spec/template', value: template }];
    const number = Number(annotations[numberAnnotation] ?? 0);
    return { number, cause, template, patch: { body, contentType: 'application/json-patch+json' } };
  }
  const { $patch: _, ...template } = fieldsIn(fieldsIn(fieldsIn(data)['spec'])['template']);
  const patch: RevisionPatch = { body: fieldsIn(data), contentType: 'application/strategic-merge-patch+json' };
  return { number: Number(revision), cause, template: withoutNulls(template) as object, patch };
}

function withoutHash(template: unknown): object {
  const fields = fieldsIn(template);
  const metadata = fieldsIn(fields['metadata']);
  const { [hash]: _, ...labels } = fieldsIn(metadata['labels']);
  return { ...fields, metadata: { ...metadata, labels } };
}

/** Stored templates have `creationTimestamp: null`, which the object itself does not show. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => (field === null ? [] : [[name, withoutNulls(field)]])),
  );
}
