import { expect, test } from 'vitest';
import type { CustomResourceDefinition } from '../../api/api.ts';
import { isTrue } from './conditions.ts';
import { statusOf } from './names.ts';

const now = Date.UTC(2026, 0, 1);

const crd = (names: object, status: object = {}): CustomResourceDefinition =>
  ({ metadata: {}, spec: { group: 'g.test', names, versions: [] }, status }) as never;

const gear = { plural: 'gears', singular: 'gear', kind: 'Gear', listKind: 'GearList', shortNames: ['gr'] };
const settled = (definition: CustomResourceDefinition) =>
  ({ ...definition, status: statusOf(definition, [], now) }) as CustomResourceDefinition;
const reasons = ({ conditions }: ReturnType<typeof statusOf>) =>
  conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]);

test('free names are accepted and establish a definition', () => {
  const status = statusOf(crd(gear), [], now);
  expect(status.acceptedNames).toEqual(gear);
  expect(reasons(status)).toEqual([
    ['NamesAccepted', 'True', 'NoConflicts', 'no conflicts found'],
    ['Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted'],
  ]);
});

test('names that another definition has accepted are in conflict, the others are accepted', () => {
  const other = settled(
    crd({ plural: 'others', singular: 'other', kind: 'Gear', listKind: 'OtherList', shortNames: ['gr'] }),
  );
  const status = statusOf(crd(gear), [other], now);
  expect(status.acceptedNames).toEqual({ plural: 'gears', singular: 'gear', kind: '', listKind: 'GearList' });
  expect(reasons(status)).toEqual([
    ['NamesAccepted', 'False', 'KindConflict', '"Gear" is already in use'],
    ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
  ]);
});

test('a conflict ends when the other definition is deleted', () => {
  const other = settled(crd({ ...gear, plural: 'others', singular: 'other' }));
  const waiting = crd(gear, statusOf(crd(gear), [other], now));
  const status = statusOf(waiting, [], now + 1_000);
  expect(isTrue({ ...waiting, status }, 'Established')).toBe(true);
  expect(status.acceptedNames).toEqual(gear);
});

test('an established definition keeps its names', () => {
  const mine = settled(crd(gear));
  const other = settled(
    crd({ plural: 'others', singular: 'other', kind: 'Other', listKind: 'OtherList', shortNames: ['ot'] }),
  );
  const renamed = { ...mine, spec: { ...mine.spec, names: { ...gear, shortNames: ['ot'] } } };
  const status = statusOf(renamed, [other], now + 1_000);
  expect(status.acceptedNames?.shortNames).toEqual(['gr']);
  expect(reasons(status)?.map(([type, value]) => [type, value])).toEqual([
    ['NamesAccepted', 'False'],
    ['Established', 'True'],
  ]);
});

test('an unchanged definition has an unchanged status', () => {
  const mine = settled(crd(gear));
  expect(statusOf(mine, [], now + 1_000)).toEqual(mine.status);
});

test('a group of the community shows its approval', () => {
  const definition = { ...crd(gear), metadata: { annotations: { 'api-approved.kubernetes.io': 'unapproved, test' } } };
  const status = statusOf({ ...definition, spec: { ...definition.spec, group: 'x.k8s.io' } } as never, [], now);
  expect(reasons(status)?.at(-1)).toEqual([
    'KubernetesAPIApprovalPolicyConformant',
    'False',
    'UnapprovedAnnotation',
    'not approved: "unapproved, test"',
  ]);
});
