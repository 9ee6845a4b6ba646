import { expect, test } from 'vitest';
import { forbidden } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { configMap, startTestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const place = { group: '', resource: 'configmaps' };
const picky: AdmissionPlugin = {
  name: 'Picky',
  validate({ name }) {
    if (name.startsWith('bad')) throw forbidden({ group: '', resource: 'configmaps' }, name, 'a bad name');
  },
};
const greedy: AdmissionPlugin = {
  name: 'Greedy',
  charge({ name }) {
    if (name === 'large') throw forbidden({ group: '', resource: 'configmaps' }, name, 'exceeded quota');
    return undefined;
  },
};

test('refused writes are noted with the part that refused', async () => {
  const server = await startTestServer({ admission: [picky, greedy] });
  await server.call('POST', maps, configMap('good'));
  await server.call('POST', maps, configMap('bad-one'));
  await server.call('POST', maps, configMap('large'));
  await server.call('POST', maps, configMap('Not_A_Name'));
  // Reads, conflicts and missing objects are not.
  await server.call('GET', `${maps}/absent`);
  await server.call('DELETE', `${maps}/absent`);
  await server.call('POST', maps, configMap('good'));
  const refused = server.refusals({ ...place, namespace: 'default' });
  expect(refused.map(({ by, name, code, verb, user }) => [by, name, code, verb, user])).toEqual([
    ['Picky', 'bad-one', 403, 'create', 'system:admin'],
    ['Greedy', 'large', 403, 'create', 'system:admin'],
    ['validation', '', 422, 'create', 'system:admin'],
  ]);
  expect(refused[0].message).toMatch(/a bad name/);
  expect(server.refusals({ ...place, name: 'large' })).toHaveLength(1);
  expect(server.refusals({ ...place, namespace: 'other' })).toEqual([]);
  expect(server.refusals({})).toHaveLength(3);
  await server.stop();
});

test('authorization refuses, and the number of notes is limited', async () => {
  const server = await startTestServer({
    authorizers: [
      { name: 'test', authorize: async ({ resource }) => ({ decision: resource === 'secrets' ? 'deny' : 'allow' }) },
    ],
  });
  for (let i = 0; i < 305; i++) await server.call('DELETE', `/api/v1/namespaces/default/secrets/s${i}`);
  const refused = server.refusals({});
  expect(refused).toHaveLength(300);
  expect(refused.at(-1)).toMatchObject({ by: 'authorization', name: 's304', code: 403, verb: 'delete' });
  await server.stop();
});
