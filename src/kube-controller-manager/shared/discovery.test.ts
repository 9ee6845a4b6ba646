import { expect, test } from 'vitest';
import type { Client } from '../../client/client.ts';
import { discover } from './discovery.ts';

test('the documents of thousands of groups are read in part at a time', async () => {
  const groups = Array.from({ length: 2000 }, (_, i) => ({ name: `g${i}`, versions: [{ version: 'v1' }] }));
  let [inFlight, most] = [0, 0];
  const raw = async (_method: string, path: string) => {
    if (path === '/apis') return { groups };
    most = Math.max(most, ++inFlight);
    await undefined;
    inFlight--;
    if (path === '/apis/g5/v1') throw new Error('no answer');
    return { resources: [{ name: 'things', kind: 'Thing', namespaced: true, verbs: [] }, { name: 'things/status' }] };
  };
  const { resources, failures } = await discover({ raw } as unknown as Client);
  expect(most).toBeLessThanOrEqual(64);
  expect(resources).toHaveLength(2000);
  expect(resources[1]).toEqual({
    ...{ group: 'g0', version: 'v1', resource: 'things' },
    ...{ kind: 'Thing', namespaced: true, verbs: [] },
  });
  expect([...failures]).toEqual([['g5/v1', 'stale GroupVersion discovery: g5/v1']]);
});
