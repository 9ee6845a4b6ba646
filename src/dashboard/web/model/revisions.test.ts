import { describe, expect, test } from 'vitest';
import { earlierRevisions } from './revisions.ts';

const owner = (uid: string) => [{ uid, controller: true }];
const template = (image: string, labels = {}) => ({
  metadata: { labels: { app: 'web', ...labels } },
  spec: { containers: [{ name: 'c', image }] },
});

describe('of a Deployment', () => {
  const set = (uid: string, number: string | undefined, image: string) => ({
    metadata: {
      ownerReferences: owner(uid),
      annotations: number ? { 'deployment.kubernetes.io/revision': number, 'kubernetes.io/change-cause': image } : {},
    },
    spec: { template: template(image, { 'pod-template-hash': 'x' }) },
  });
  const sets = [
    set('u', '1', 'a'),
    set('u', '3', 'c'),
    set('u', '10', 'd'),
    set('other', '2', 'b'),
    set('u', undefined, 'e'),
  ];

  test('ReplicaSets keep them, without the current one', () => {
    const found = earlierRevisions(
      { metadata: { uid: 'u', annotations: { 'deployment.kubernetes.io/revision': '10' } } },
      sets,
    );
    expect(found.map(({ number, cause }) => `${number} ${cause}`)).toEqual(['3 c', '1 a']);
    expect(found[0]).toMatchObject({
      template: template('c'),
      patch: {
        body: [{ op: 'replace', path: '/spec/template', value: template('c') }],
        contentType: 'application/json-patch+json',
      },
    });
    expect(JSON.stringify(found)).not.toContain('hash');
  });
});

describe('of a StatefulSet or DaemonSet', () => {
  const revision = (uid: string, number: number, image: string) => ({
    ...{ metadata: { ownerReferences: owner(uid) }, revision: number },
    data: { spec: { template: { $patch: 'replace', ...template(image), metadata: { creationTimestamp: null } } } },
  });
  const kept = [revision('u', 2, 'b'), revision('u', 4, 'd'), revision('u', 3, 'c'), revision('other', 9, 'x')];

  test('ControllerRevisions keep them: the highest is the current one', () => {
    const found = earlierRevisions({ metadata: { uid: 'u' } }, kept);
    expect(found.map(({ number }) => number)).toEqual([3, 2]);
    expect(found[0].template).toEqual({ metadata: {}, spec: { containers: [{ name: 'c', image: 'c' }] } });
    expect(found[0].patch).toEqual({ body: kept[2].data, contentType: 'application/strategic-merge-patch+json' });
  });

  test('none is earlier than the only one', () =>
    expect(earlierRevisions({ metadata: { uid: 'u' } }, kept.slice(0, 1))).toEqual([]));
});
