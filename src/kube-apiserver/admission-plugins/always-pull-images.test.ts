import { describe, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { create, merge, start } = admissionServer();

describe('AlwaysPullImages', () => {
  test('sets the policy of every container and image volume', async () => {
    await start({ enabled: 'AlwaysPullImages' });
    const volumes = [{ name: 'v', image: { reference: 'registry.test/v:1', pullPolicy: 'Never' } }];
    const init = { name: 'init', image: 'registry.test/i:1', imagePullPolicy: 'IfNotPresent' };
    const { body } = await create('p', { volumes, initContainers: [init] });
    const { containers, initContainers } = body.spec;
    const policies = [...containers, ...initContainers].map((c: { imagePullPolicy: string }) => c.imagePullPolicy);
    expect([...policies, body.spec.volumes[0].image.pullPolicy]).toEqual(['Always', 'Always', 'Always']);
  });

  test('an update without a new image stays as it is', async () => {
    await start({ enabled: 'AlwaysPullImages' });
    await create('p');
    const { code, body } = await merge(`${ns}/pods/p`, { metadata: { labels: { a: 'b' } } });
    expect([code, body.spec.containers[0].imagePullPolicy]).toEqual([200, 'Always']);
  });
});
