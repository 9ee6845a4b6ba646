import { expect, test } from 'vitest';
import type { Pod, Secret } from '../../api/api.ts';
import { pullSecretsOf } from './start-container.ts';

test('thousands of pull secrets are read one at a time, each once', async () => {
  const names = Array.from({ length: 3000 }, (_, i) => `s${i % 1000}`);
  const pod = {
    metadata: { namespace: 'ns' },
    spec: { imagePullSecrets: [...names.map((name) => ({ name })), {}] },
  } as Pod;
  let [reads, inFlight, most] = [0, 0, 0];
  const secret = async (namespace: string, name: string) => {
    reads++;
    most = Math.max(most, ++inFlight);
    await undefined;
    inFlight--;
    return name === 's7' ? undefined : ({ metadata: { namespace, name } } as Secret);
  };
  const found = await pullSecretsOf(pod, { secret });
  expect([reads, most]).toEqual([1000, 1]);
  expect(found.map(({ metadata }) => metadata.name)).toEqual([...new Set(names)].filter((name) => name !== 's7'));
});
