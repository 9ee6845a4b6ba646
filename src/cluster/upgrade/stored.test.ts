import { expect, test } from 'vitest';
import type { BackupPart } from '../../store/store.ts';
import { surveyStored } from './stored.ts';

const entry = (key: string, value: object | string) => ({
  ...{ key, value: typeof value === 'string' ? value : JSON.stringify(value) },
  ...{ createRevision: 1, modRevision: 1, lease: 0 },
});
async function* parts(...entries: ReturnType<typeof entry>[]): AsyncIterable<BackupPart> {
  yield { type: 'file', path: 'pki/ca.crt', content: new Uint8Array() };
  yield { type: 'lease', lease: 7, seconds: 60 };
  for (const each of entries) yield { type: 'entries', entries: [each] };
}
const crd = (name: string, versions: readonly string[], storedVersions: readonly string[]) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name },
  spec: { versions: versions.map((version, i) => ({ name: version, storage: i === 0 })) },
  status: { storedVersions },
});

test('nodes, versions and custom resources are found in any order', async () => {
  const found = await surveyStored(
    parts(
      entry('/registry/example.com/widgets/default/a', { apiVersion: 'example.com/v2', kind: 'Widget' }),
      entry('/registry/example.com/widgets/default/b', { apiVersion: 'example.com/v0', kind: 'Widget' }),
      entry('/registry/gone.com/things/x', { apiVersion: 'gone.com/v1', kind: 'Thing' }),
      entry('/registry/minions/two', {
        ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'two' } },
        status: { nodeInfo: { kubeletVersion: 'v1.35.1' } },
      }),
      entry('/registry/minions/one', {
        ...{ apiVersion: 'v1', kind: 'Node' },
        metadata: { name: 'one', labels: { 'node-role.kubernetes.io/control-plane': '' } },
      }),
      entry('/registry/pods/default/a', { apiVersion: 'v1', kind: 'Pod' }),
      entry('/registry/pods/default/b', { apiVersion: 'v1', kind: 'Pod' }),
      entry('/registry/poddisruptionbudgets/default/p', { apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget' }),
      entry(
        '/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com',
        crd('widgets.example.com', ['v2', 'v1'], ['v1', 'v2']),
      ),
      entry('/registry/secrets/default/s', 'k8s:enc:secretbox:v1:key1:...'),
      entry('/registry/ranges/serviceips', { apiVersion: 'v1', kind: 'RangeAllocation' }),
      entry('/registry/configmaps/default/odd', 'null'),
    ),
  );
  expect(found.nodes).toEqual([
    { name: 'one', kubeletVersion: '', isServer: true },
    { name: 'two', kubeletVersion: 'v1.35.1', isServer: false },
  ]);
  expect(found.customResources).toEqual([
    { name: 'widgets.example.com', versions: ['v2', 'v1'], storageVersion: 'v2', storedVersions: ['v1', 'v2'] },
  ]);
  expect(found.unseen).toBe(2);
  expect(
    found.versions.map(({ resource, apiVersion, count, isRead }) => `${resource} ${apiVersion} ${count} ${isRead}`),
  ).toEqual([
    'widgets.example.com example.com/v2 1 true',
    'widgets.example.com example.com/v0 1 false',
    'things.gone.com gone.com/v1 1 undefined',
    'nodes v1 2 true',
    'pods v1 2 true',
    'poddisruptionbudgets.policy policy/v1beta1 1 false',
    'customresourcedefinitions.apiextensions.k8s.io apiextensions.k8s.io/v1 1 true',
  ]);
});

test.each<[string, object | string]>([
  ['a list', []],
  ['a number', '7'],
  ['no JSON', '{'],
  ['fields of other types', { apiVersion: 7, kind: {}, metadata: 'x', status: [] }],
])('a node that is %s', async (_, value) => {
  const { nodes, unseen } = await surveyStored(parts(entry('/registry/minions/x', value)));
  expect(nodes.length + unseen).toBe(1);
});
