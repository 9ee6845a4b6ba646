// Accepts the names of a definition: they are unique in a group.

import type { CustomResourceDefinition } from '../../api/api.ts';
import { approvalCondition } from './approval.ts';
import { type Condition, isTrue, type Status, withCondition } from './conditions.ts';

type Names = CustomResourceDefinition['spec']['names'];

/**
 * The status of a definition beside the `others` of its group, whose accepted names it must not use. `now` is in
 * milliseconds. A definition with accepted names is Established, permanently.
 * https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
 */
export function statusOf(
  crd: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  now: number,
): Status {
  const { names, conflict } = acceptNames(crd, others);
  let status: Status = { ...crd.status, acceptedNames: names, storedVersions: crd.status?.storedVersions ?? [] };
  const set = (type: string, value: 'True' | 'False', reason: string, message: string) => {
    status = withCondition(status, { type, status: value, reason, message } as Condition, now);
  };
  if (conflict) set('NamesAccepted', 'False', conflict.reason, conflict.message);
  else set('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found');
  if (!isTrue(crd, 'Established')) {
    if (conflict) set('Established', 'False', 'NotAccepted', 'not all names are accepted');
    else set('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted');
  }
  const approval = approvalCondition(crd);
  return approval ? withCondition(status, approval, now) : status;
}

interface Accepted {
  readonly names: Names;
  /** Of several conflicts the last one, in the order of the fields. */
  readonly conflict?: { readonly reason: string; readonly message: string };
}

/** Names accepted before stay; free names are accepted; the others are in conflict. */
function acceptNames(
  { spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): Accepted {
  const wanted = spec.names;
  const accepted = status?.acceptedNames ?? { plural: '', kind: '' };
  const names = { ...accepted, ...(wanted.categories && { categories: wanted.categories }) };
  if (!wanted.categories) delete names.categories;
  const taken = others.flatMap((other) => other.status?.acceptedNames ?? []);
  const resources = new Set(
    [...taken, accepted].flatMap(({ plural, singular, shortNames }) => [plural, singular, ...(shortNames ?? [])]),
  );
  const kinds = new Set([...taken, accepted].flatMap(({ kind, listKind }) => [kind, listKind]));
  const texts = (list: readonly string[], held: ReadonlySet<string | undefined>) =>
    list.filter((name) => held.has(name)).map((name) => `${JSON.stringify(name)} is already in use`);
  let conflict: Accepted['conflict'];
  const settle = (field: 'plural' | 'singular' | 'kind' | 'listKind', held: ReadonlySet<string | undefined>) => {
    const name = wanted[field] ?? '';
    const [message] = name === (accepted[field] ?? '') ? [] : texts([name], held);
    if (message) conflict = { reason: `${field[0].toUpperCase()}${field.slice(1)}Conflict`, message };
    else names[field] = name;
  };
  settle('plural', resources);
  settle('singular', resources);
  const short = wanted.shortNames ?? [];
  const messages = texts(
    short.filter((name) => !accepted.shortNames?.includes(name)),
    resources,
  );
  if (messages.length > 1) conflict = { reason: 'ShortNamesConflict', message: `[${messages.join(', ')}]` };
  else if (messages.length) conflict = { reason: 'ShortNamesConflict', message: messages[0] };
  else if (short.length) names.shortNames = short;
  else delete names.shortNames;
  settle('kind', kinds);
  settle('listKind', kinds);
  return { names, ...(conflict && { conflict }) };
}
