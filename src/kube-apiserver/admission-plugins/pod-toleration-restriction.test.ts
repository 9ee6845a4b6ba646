import { describe, expect, test } from 'vitest';
import { admissionServer, box, ns } from './test-admission.ts';

const { create, merge, start } = admissionServer();

describe('PodTolerationRestriction', () => {
  const annotate = (name: string, tolerations: unknown) =>
    merge(ns, {
      metadata: { annotations: { [`scheduler.alpha.kubernetes.io/${name}`]: JSON.stringify(tolerations) } },
    });
  const gpu = { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' } as const;
  const own = (tolerations: { key?: string }[]) =>
    tolerations.filter(
      ({ key }) => !key?.startsWith('node.kubernetes.io/n') && key !== 'node.kubernetes.io/unreachable',
    );

  test('the namespace’s default comes before that of the cluster', async () => {
    await start({ enabled: 'PodTolerationRestriction', configuration: { tolerations: { default: [gpu] } } });
    expect(own((await create('a')).body.spec.tolerations)).toEqual([gpu]);
    await annotate('defaultTolerations', []);
    expect(own((await create('b')).body.spec.tolerations)).toEqual([]);
  });

  test('a pod with requests tolerates memory pressure', async () => {
    await start({ enabled: 'PodTolerationRestriction' });
    const { body } = await create('p', { containers: [box({ resources: { requests: { cpu: '1' } } })] });
    expect(own(body.spec.tolerations)).toEqual([
      { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
    ]);
  });

  test.each([
    ['the namespace allows', [{ operator: 'Exists' }], 201, undefined],
    [
      'the namespace does not allow',
      [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }],
      500,
      'pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist',
    ],
  ])('an object that %s', async (_, allowed, code, message) => {
    await start({ enabled: 'PodTolerationRestriction' });
    await annotate('tolerationsWhitelist', allowed);
    const answer = await create('p', { tolerations: [gpu] });
    expect([answer.code, answer.body.message]).toEqual([code, message]);
  });

  test('an annotation that is no list is a fault of the request', async () => {
    await start({ enabled: 'PodTolerationRestriction' });
    await annotate('defaultTolerations', { a: 1 });
    const { code, body } = await create('p');
    expect([code, body.message]).toEqual([
      500,
      'the annotation scheduler.alpha.kubernetes.io/defaultTolerations must be a list of tolerations',
    ]);
  });
});
