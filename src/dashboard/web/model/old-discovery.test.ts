import { expect, test } from 'vitest';
import { kindsOf } from './kinds.ts';
import { groupVersionsIn, resourcesIn } from './old-discovery.ts';

test('old servers name the versions of their groups', () => {
  expect(groupVersionsIn({ kind: 'APIVersions', versions: ['v1'] })).toEqual([{ group: '', version: 'v1' }]);
  const versions = [{ version: 'v1' }, { version: 'v2' }];
  expect(
    groupVersionsIn({
      kind: 'APIGroupList',
      groups: [{ name: 'autoscaling', versions, preferredVersion: { version: 'v2' } }],
    }).map(({ group, version }) => `${group}/${version}`),
  ).toEqual(['autoscaling/v2', 'autoscaling/v1']);
  expect(groupVersionsIn({ kind: 'APIGroupDiscoveryList', items: [] })).toEqual([]);
});

test('their resources become kinds with subresources', () => {
  const resources = resourcesIn({
    resources: [
      { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['list'], shortNames: ['po'] },
      { name: 'pods/log', kind: 'Pod', namespaced: true, verbs: ['get'] },
      { name: 'nodes', kind: 'Node', namespaced: false, verbs: ['list'] },
    ],
  });
  const kinds = kindsOf([{ items: [{ metadata: { name: '' }, versions: [{ version: 'v1', resources }] }] }]);
  expect(kinds).toMatchObject([
    { resource: 'pods', kind: 'Pod', isNamespaced: true, shortNames: ['po'], subresources: ['log'] },
    { resource: 'nodes', isNamespaced: false, subresources: [] },
  ]);
});
