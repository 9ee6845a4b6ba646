import { describe, expect, test } from 'vitest';
import type { Kind } from './kind.ts';
import { builtinKinds, KindRegistry } from './registry.ts';
import { type AnyObject, create, faults, now, pods, registry, smallest } from './test-kinds.ts';

test('every resource has a schema, and every column a cell', () => {
  expect(
    builtinKinds()
      .filter(({ schema }) => !schema.properties)
      .map(({ resource }) => resource),
  ).toEqual([]);
  for (const kind of builtinKinds()) {
    const object = smallest(kind);
    const label = `${kind.resource}.${kind.group}/${kind.version}`;
    expect(kind.cells(object, now), label).toHaveLength(kind.columns.length);
    for (const [field, value] of Object.entries(kind.selectableFields))
      expect(typeof value(object), `${label} ${field}`).toBe('string');
  }
});

describe('metadata', () => {
  const maps = registry.byResource('', 'v1', 'configmaps')!;
  test.each([
    { metadata: { name: '' }, fault: 'metadata.name: Required value: name or generateName is required' },
    {
      metadata: { finalizers: ['x'] },
      fault:
        'metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
    },
    {
      metadata: { labels: { a: 'b'.repeat(64) } },
      fault: `metadata.labels: Invalid value: "${'b'.repeat(64)}": must be no more than 63 bytes`,
    },
    {
      metadata: { ownerReferences: [{ apiVersion: 'v1', kind: '', name: 'n', uid: 'u' }] },
      fault: 'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
    },
  ])('$fault', ({ metadata, fault }) =>
    expect(faults(maps, create(maps, { metadata: { name: 'x', ...metadata } }))).toContain(fault),
  );

  test('an object that is going takes no new finalizers', () => {
    const old = create(maps, {});
    old.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const next = structuredClone(old);
    next.metadata.finalizers = ['a.test/b'];
    expect(maps.strategy.validateUpdate?.(next, old)[0].message).toBe(
      'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.test/b"}',
    );
  });
});

test('kinds come and go', () => {
  const own = new KindRegistry();
  let changes = 0;
  const stop = own.onChange(() => changes++);
  own.add({ ...pods, group: 'g.test', resource: 'widgets', kind: 'Widget' });
  expect(own.byKind('g.test', 'v1', 'Widget')?.resource).toBe('widgets');
  own.remove('g.test', 'widgets');
  expect(own.byResource('g.test', 'v1', 'widgets')).toBeUndefined();
  stop();
  own.add();
  expect(changes).toBe(2);
});

describe('declarations of the kind', () => {
  const having = (field: keyof Kind) =>
    builtinKinds()
      .filter((kind) => kind[field])
      .map(({ resource, group }) => (group ? `${resource}.${group}` : resource))
      .sort();

  test.each<[keyof Kind, readonly string[]]>([
    ['isNamespace', ['namespaces']],
    ['allocates', ['services']],
    ['selectsByMap', ['replicationcontrollers']],
    ['keptSeconds', ['events', 'events.events.k8s.io']],
    ['watchedBy', ['pods', 'resourceslices.resource.k8s.io']],
    ['deprecation', ['componentstatuses', 'endpoints']],
    [
      'answersDeleted',
      [
        'csidrivers.storage.k8s.io',
        'csinodes.storage.k8s.io',
        'deviceclasses.resource.k8s.io',
        'persistentvolumeclaims',
        'persistentvolumes',
        'pods',
        'podtemplates',
        'resourceclaims.resource.k8s.io',
        'resourceclaimtemplates.resource.k8s.io',
        'resourcequotas',
        'resourceslices.resource.k8s.io',
        'serviceaccounts',
        'services',
        'storageclasses.storage.k8s.io',
        'volumeattachments.storage.k8s.io',
        'volumeattributesclasses.storage.k8s.io',
      ],
    ],
  ])('%s holds for %j', (field, resources) => expect(having(field)).toEqual(resources));

  test('an index of watches, or a field sought in bytes, can be selected by', () => {
    for (const { resource, watchedBy, literalFields = [], selectableFields } of builtinKinds())
      for (const field of [...literalFields, ...(watchedBy ? [watchedBy] : [])])
        expect(Object.keys(selectableFields), resource).toContain(field);
  });

  test('only these do not live under their plural', () => {
    const moved = builtinKinds().filter(({ storagePrefix, resource }) => storagePrefix !== resource);
    expect(Object.fromEntries(moved.map(({ resource, storagePrefix }) => [resource, storagePrefix]))).toEqual({
      apiservices: 'apiregistration.k8s.io/apiservices',
      customresourcedefinitions: 'apiextensions.k8s.io/customresourcedefinitions',
      endpoints: 'services/endpoints',
      ingresses: 'ingress',
      nodes: 'minions',
      replicationcontrollers: 'controllers',
      services: 'services/specs',
    });
  });

  test('a deleted namespace terminates until its finalizers are removed', () => {
    const { strategy } = registry.byResource('', 'v1', 'namespaces')!;
    const live = create(registry.byResource('', 'v1', 'namespaces')!, {});
    expect(strategy.isHeld?.(live)).toBe(true);
    expect(strategy.isHeld?.({ ...live, spec: { finalizers: [] } })).toBe(false);
    const next = { ...live, metadata: { ...live.metadata, deletionGracePeriodSeconds: 0 } };
    strategy.prepareForDelete?.(next);
    expect(next).toMatchObject({ status: { phase: 'Terminating' } });
    expect(next.metadata).not.toHaveProperty('deletionGracePeriodSeconds');
  });

  test('a definition is given its finalizer before it is deleted, once', () => {
    const { strategy } = registry.byResource('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')!;
    const live: AnyObject = { metadata: { name: 'x' } as AnyObject['metadata'], spec: {} };
    const next = structuredClone(live);
    strategy.announceDeletion?.(live, now)?.(next);
    expect(next.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
    expect(next.status.conditions).toMatchObject([{ type: 'Terminating', lastTransitionTime: '2026-01-01T00:00:00Z' }]);
    expect(strategy.announceDeletion?.(next, now)).toBeUndefined();
  });

  test.each([
    [{}, 1],
    [{ propagationPolicy: 'Orphan' }, 0],
    [{ orphanDependents: false }, 0],
  ])('deleting a job with %j warns %i times', (options, count) =>
    expect(registry.byResource('batch', 'v1', 'jobs')!.strategy.deletionWarnings?.(options)).toHaveLength(count),
  );
});
