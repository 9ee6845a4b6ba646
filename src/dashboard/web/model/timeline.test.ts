import { expect, test } from 'vitest';
import { changesOf, decisionIn, type Moment, newestFirst, ownedPaths, writesOf } from './timeline.ts';

const version = (resourceVersion: string, replicas: number, manager: string, seenMs: number) => ({
  ...{ seenMs, isDeleted: false },
  object: {
    metadata: {
      resourceVersion,
      managedFields: [
        { manager: 'kubectl', operation: 'Update', time: '2026-01-01T00:00:00Z' },
        {
          manager,
          operation: 'Apply',
          time: `2026-01-01T00:00:0${replicas}Z`,
          fieldsV1: { 'f:spec': { 'f:replicas': {} } },
        },
      ],
    },
    spec: { replicas },
  },
});

test('changes between versions, with the managers that wrote', () => {
  const first = version('1', 1, 'argo', 10);
  const second = version('2', 2, 'argo', 20);
  const same = version('3', 2, 'argo', 30);
  expect(changesOf([first, second, same, { ...same, seenMs: 40, isDeleted: true }])).toMatchObject([
    {
      timeMs: 20,
      managers: ['argo'],
      isCreation: false,
      changes: [{ path: 'spec.replicas', before: 1, after: 2 }],
      isDeletion: false,
    },
    { timeMs: 40, managers: [], changes: [], isDeletion: true },
  ]);
});

test('two writes of a manager in one second', () => {
  const first = version('1', 1, 'argo', 10);
  const second = { ...first, object: { ...first.object, spec: { replicas: 7 } }, seenMs: 20 };
  expect(changesOf([first, second])).toMatchObject([{ managers: ['argo'] }]);
});

test('a manager that loses a field to another one has not written', () => {
  const first = version('1', 1, 'argo', 10);
  const [kubectl, argo] = first.object.metadata.managedFields;
  const fieldsV1 = { 'f:spec': { 'f:replicas': {} } };
  const hpa = { manager: 'hpa', operation: 'Update', time: '2026-01-01T00:00:09Z', fieldsV1 };
  const metadata = { resourceVersion: '2', managedFields: [kubectl, { ...argo, fieldsV1: {} }, hpa] };
  const object = { metadata, spec: { replicas: 4 } };
  expect(changesOf([first, { ...first, object }])).toMatchObject([{ managers: ['hpa'] }]);
});

test('a creation in the past, and the owner of a deleted object', () => {
  const first = { ...version('1', 1, 'argo', 10), isCreated: true };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' };
  const metadata = { ...first.object.metadata, resourceVersion: '9', ownerReferences: [owner] };
  const last = { ...first, object: { ...first.object, metadata }, isCreated: false, isDeleted: true };
  expect(changesOf([first, last, { ...first, seenMs: 40 }])).toMatchObject([
    { isCreation: true, isDeletion: false, revision: 1, owner: undefined },
    { isCreation: false, isDeletion: true, revision: 9, owner },
    { isCreation: true, changes: [], reasons: [] },
  ]);
});

test('the newest moment comes first, and the newest of the changes at one time', () => {
  const [change] = changesOf([version('1', 1, 'argo', 10), version('2', 2, 'argo', 20)]);
  const at = (revision: number, timeMs: number) => ({ ...change, revision, timeMs }) as Moment;
  const event = { ...change, kind: 'event', timeMs: 20 } as unknown as Moment;
  const sorted = [at(2, 20), at(3, 20), event, at(4, 30)].sort(newestFirst);
  expect(sorted.map((one) => (one.kind === 'change' ? one.revision : one.kind))).toEqual([4, 'event', 3, 2]);
});

test('the last write of each manager before the page was opened', () => {
  const { managedFields } = version('1', 5, 'argo', 0).object.metadata;
  expect(writesOf(managedFields, Date.parse('2026-01-01T00:00:03Z'))).toMatchObject([{ manager: 'kubectl' }]);
  expect(writesOf(managedFields, Date.parse('2026-01-01T00:00:09Z'))).toHaveLength(2);
  expect(writesOf([{ manager: 'x' }], Number.POSITIVE_INFINITY)).toEqual([]);
});

test.each([
  [{ 'f:spec': { 'f:replicas': {}, 'f:template': { 'f:spec': {} } } }, ['spec.replicas', 'spec.template']],
  [{ 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } }, ['metadata.labels']],
  [{ 'f:data': {} }, ['data']],
  [undefined, []],
])('the paths of %j', (fields, paths) => expect(ownedPaths(fields)).toEqual(paths));

test.each([[null], [{}], [{ decision: null }]])('no decision in %j', (answer) =>
  expect(decisionIn(answer)).toBeUndefined(),
);
