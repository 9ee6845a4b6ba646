import { expect, test } from 'vitest';
import type { ApiObject } from '../../../api/api.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { serialize } from '../../watch-cache/item.ts';
import type { Target } from '../operation.ts';
import { putCharged } from './commit.ts';

const object = { metadata: { name: 'p', namespace: 'ns' } } as ApiObject;

/** A store that refuses every write; `taken`: another object has the name. */
async function refused(taken: boolean) {
  const quotaConflict = new Error('the quota has been modified');
  let [attempts, released] = [0, 0];
  const charge = async () => {
    attempts++;
    return { writes: [], conflict: () => quotaConflict, release: () => void released++ };
  };
  const target = {
    kind: { group: '', resource: 'pods', namespaced: true },
    cache: { get: () => (taken ? { revision: 7 } : undefined) },
    server: { admission: [{ name: 'Quota', charge }], cache: { commit: async () => ({ ok: false, current: [] }) } },
  } as unknown as Target;
  const stored = { object, serialized: serialize(object) };
  const writing = putCharged(target, stored, 0, {} as AdmissionAttributes);
  const answer = await writing.catch((error: unknown) => error);
  expect(released).toBe(attempts);
  return { answer, attempts, quotaConflict };
}

test('a write whose quota changes at each attempt does not report that its name is taken', async () => {
  const { answer, attempts, quotaConflict } = await refused(false);
  expect(answer).toBe(quotaConflict);
  expect(attempts).toBe(16);
});

test('a write whose name is taken ends at once', async () => {
  const { answer, attempts } = await refused(true);
  expect([answer, attempts]).toEqual([undefined, 1]);
});
