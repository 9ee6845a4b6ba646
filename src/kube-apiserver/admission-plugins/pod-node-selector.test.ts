import { describe, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { create, merge, start } = admissionServer();

describe('PodNodeSelector', () => {
  const label = (selector: string) =>
    merge(ns, { metadata: { annotations: { 'scheduler.alpha.kubernetes.io/node-selector': selector } } });
  const conflict = 'pods "p" is forbidden: pod node label selector conflicts with its namespace node label selector';

  test.each([
    ['the default of the cluster', undefined, {}, { env: 'dev' }],
    ['the selector of the namespace', 'env=prod,disk=ssd', {}, { env: 'prod', disk: 'ssd' }],
    ['an empty one', '', { a: 'b' }, { a: 'b' }],
    ['one that contradicts the pod', 'env=prod', { env: 'dev' }, conflict],
    ['one that is none', 'env', {}, 'invalid selector: [env]'],
  ])('%s', async (_, selector, nodeSelector, expected) => {
    await start({
      enabled: 'PodNodeSelector',
      configuration: { nodeSelectors: { clusterDefaultNodeSelector: 'env=dev' } },
    });
    if (selector !== undefined) await label(selector);
    const { body } = await create('p', { nodeSelector });
    expect(typeof expected === 'string' ? body.message : body.spec.nodeSelector).toEqual(expected);
  });

  test('the labels that a namespace may use', async () => {
    await start({ enabled: 'PodNodeSelector', configuration: { nodeSelectors: { default: 'env=dev' } } });
    expect((await create('a', { nodeSelector: { env: 'dev' } })).code).toBe(201);
    expect((await create('p', { nodeSelector: { disk: 'ssd' } })).body.message).toBe(
      'pods "p" is forbidden: pod node label selector labels conflict with its namespace whitelist',
    );
  });
});
