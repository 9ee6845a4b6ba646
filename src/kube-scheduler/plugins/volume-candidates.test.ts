// Thousands of volumes, claims and nodes: the scheduler shares a process with the API server.

import { expect, test } from 'vitest';
import { TooMuchEffort, withEffort } from '../../machinery/time/effort.ts';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { node } from '../test-objects.ts';
import { claim, onNode, storageClass, storageOf, volume } from './test-storage.ts';
import { chooseVolumes, type VolumeChoice } from './volume-choice.ts';

/** Of a cycle in a small cluster. */
const effort = 300_000;
const longestMs = 250;
const hostname = 'kubernetes.io/hostname';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const classes = [storageClass('local', { provisioner: 'kubernetes.io/no-provisioner' })];
const storageClassName = 'local';

const farAway = {
  nodeAffinity: {
    required: {
      nodeSelectorTerms: many(20, (t) => ({ matchExpressions: [{ key: `no${t}`, operator: 'In', values: ['x'] }] })),
    },
  },
};

test.each([
  ['volumes with many terms', farAway, {}],
  [
    'claims with long selectors',
    {},
    {
      selector: { matchExpressions: many(2_000, (i) => ({ key: `k${i % 9}`, operator: 'NotIn', values: [`v${i}`] })) },
    },
  ],
])(
  '200 claims and 3,000 volumes: %s',
  async (_, ofVolume, ofClaim) => {
    const volumes = many(3_000, (i) => volume(`v${i}`, { storageClassName, ...ofVolume }));
    const storage = storageOf({ volumes, classes });
    const delayed = many(200, (i) => claim(`c${i}`, { storageClassName, ...ofClaim }));
    const waitMs = await longestTurn(async () => {
      expect(() => withEffort(effort, () => chooseVolumes({ bound: [], delayed }, node('n'), storage))).toThrow(
        TooMuchEffort,
      );
    });
    expect(waitMs).toBeLessThan(longestMs);
  },
  60_000,
);

test('a pod with three claims, 5,000 local volumes and 1,000 nodes', async () => {
  const volumes = many(5_000, (i) => volume(`v${i}`, { storageClassName, ...onNode(`n${i % 1_000}`) }));
  const storage = storageOf({ volumes, classes });
  const delayed = many(3, (i) => claim(`c${i}`, { storageClassName }));
  const nodes = many(1_000, (i) => node(`n${i}`, { labels: { [hostname]: `n${i}` } }));
  let choices: VolumeChoice[] = [];
  const waitMs = await longestTurn(async () => {
    withEffort(effort, () => {
      choices = nodes.map((one) => chooseVolumes({ bound: [], delayed }, one, storage) as VolumeChoice);
    });
  });
  const chosen = choices[7].bindings.map(({ volume: { metadata } }) => metadata.name);
  expect(chosen).toEqual(['v7', 'v1007', 'v2007']);
  expect(waitMs).toBeLessThan(longestMs);
}, 60_000);

test('volumes that change are compared again', () => {
  const all = [volume('big', { storageClassName, capacity: { storage: '9Gi' } })];
  let revision = 0;
  const storage = storageOf({ volumes: all, classes, revision: () => revision });
  const one = claim('c', { storageClassName });
  const chosen = () => {
    const { bindings } = chooseVolumes({ bound: [], delayed: [one] }, node('n'), storage) as VolumeChoice;
    return bindings.map(({ volume: { metadata } }) => metadata.name);
  };
  expect(chosen()).toEqual(['big']);
  all.push(volume('small', { storageClassName }));
  revision++;
  expect(chosen()).toEqual(['small']);
});
