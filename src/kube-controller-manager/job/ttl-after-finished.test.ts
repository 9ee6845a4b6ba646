import { expect, test } from 'vitest';
import type { Tools } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { ttlAfterFinished } from './ttl-after-finished.ts';

/** The answer of one reconcile, and the options of a deletion. */
async function reconcile(job: object) {
  const clock = new VirtualClock();
  const deletions: object[] = [];
  const tools = {
    clock,
    lister: () => ({ get: () => ({ metadata: { name: 'j', uid: 'u', resourceVersion: '7' }, ...job }) }),
    client: { delete: async (...[, , options]: object[]) => void deletions.push(options) },
  } as unknown as Tools;
  return [await ttlAfterFinished.reconcile('ns/j', tools), deletions];
}

const ended = (type: string, secondsAgo: number, status = 'True') => {
  const lastTransitionTime = new Date(new VirtualClock().now() - secondsAgo * 1_000).toISOString();
  return { status: { conditions: [{ type, status, lastTransitionTime }] } };
};
const lives = (ttlSecondsAfterFinished?: number) => ({ spec: { ttlSecondsAfterFinished } });
const deletion = { propagationPolicy: 'Foreground', preconditions: { uid: 'u', resourceVersion: '7' } };

test.each<[string, object, object | undefined, object[]]>([
  ['that runs', lives(10), undefined, []],
  ['without a time', { ...lives(), ...ended('Complete', 60) }, undefined, []],
  ['that has completed', { ...lives(60), ...ended('Complete', 20) }, { after: 40_000 }, []],
  ['that completed long ago', { ...lives(60), ...ended('Complete', 61) }, undefined, [deletion]],
  ['that failed long ago', { ...lives(0), ...ended('Failed', 1) }, undefined, [deletion]],
  ['whose condition is false', { ...lives(0), ...ended('Complete', 1, 'False') }, undefined, []],
  [
    'that is being deleted',
    { ...lives(0), ...ended('Complete', 1), metadata: { name: 'j', deletionTimestamp: 'x' } },
    undefined,
    [],
  ],
])('a job %s', async (_, job, answer, deletions) => expect(await reconcile(job)).toEqual([answer, deletions]));
