// A definition may not take names that another resource of its group has.

import { type CustomResourceDefinition, formatTime, type Kind } from '../../api/api.ts';

type Status = NonNullable<CustomResourceDefinition['status']>;

/** The status of a definition whose names are taken; undefined when they are free. `now` is in milliseconds. */
export function namesFault(
  kinds: readonly Kind[],
  { spec, status }: CustomResourceDefinition,
  now: number,
): Status | undefined {
  const { plural, singular, kind, listKind, shortNames = [] } = spec.names;
  const others = kinds.filter((other) => other.group === spec.group && other.resource !== plural);
  const resources = new Set(others.flatMap((other) => [other.resource, other.singular, ...other.shortNames]));
  const types = new Set(others.flatMap((other) => [other.kind, other.listKind]));
  // Of several faults Kubernetes names the last in the order of the fields.
  const taken =
    (listKind && fault('ListKindConflict', listKind, types)) ||
    fault('KindConflict', kind, types) ||
    shortNames.map((name) => fault('ShortNamesConflict', name, resources)).findLast(Boolean) ||
    (singular && fault('SingularConflict', singular, resources)) ||
    fault('PluralConflict', plural, resources);
  if (!taken) return undefined;
  const lastTransitionTime = formatTime(now);
  const condition = (type: string, reason: string, message: string) => {
    const before = status?.conditions?.find((c) => c.type === type && c.reason === reason && c.message === message);
    return before ?? { type, status: 'False', lastTransitionTime, reason, message };
  };
  return {
    ...status,
    conditions: [
      condition('NamesAccepted', taken.reason, taken.message),
      condition('Established', 'NotAccepted', 'not all names are accepted'),
    ] as Status['conditions'],
    acceptedNames: status?.acceptedNames ?? { plural: '', kind: '' },
    storedVersions: status?.storedVersions ?? [],
  };
}

const fault = (reason: string, name: string, taken: ReadonlySet<string>) =>
  taken.has(name) ? { reason, message: `${JSON.stringify(name)} is already in use` } : undefined;
