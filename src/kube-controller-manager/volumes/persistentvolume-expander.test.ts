import { expect, test } from 'vitest';
import type { PersistentVolumeClaim } from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import { persistentVolumeExpander } from './persistentvolume-expander.ts';

/** The events of one reconcile, or the error. */
async function reconcile(requested: string, capacity: string, phase: string, owner: string | undefined) {
  const claim = {
    metadata: { name: 'c', namespace: 'ns', uid: 'u' },
    spec: { volumeName: 'v', resources: { requests: { storage: requested } } },
    status: { phase, capacity: { storage: capacity } },
  } as unknown as PersistentVolumeClaim;
  const recorded: string[] = [];
  const tools = {
    lister: () => ({ get: () => claim }),
    client: { get: async () => ({ spec: { claimRef: { uid: owner } } }) },
    events: { event: (_: object, type: string, reason: string) => void recorded.push(`${type} ${reason}`) },
  } as unknown as Tools;
  await persistentVolumeExpander.reconcile('ns/c', tools);
  return recorded;
}

test.each([
  ['a larger request', '2Gi', '1Gi', 'Bound', ['Normal ExternalExpanding']],
  ['an equal request', '1Gi', '1024Mi', 'Bound', []],
  ['a smaller request', '1Gi', '2Gi', 'Bound', []],
  ['a claim without a volume', '2Gi', '1Gi', 'Pending', []],
])('%s', async (_, requested, capacity, phase, events) =>
  expect(await reconcile(requested, capacity, phase, 'u')).toEqual(events),
);

test('the volume of another claim is an error', () =>
  expect(reconcile('2Gi', '1Gi', 'Bound', 'other')).rejects.toThrow(
    'persistent Volume is not bound to PVC being updated : ns/c',
  ));
