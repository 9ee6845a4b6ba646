// The effort of a search for devices grows with the rules of its claims.

import { expect, test } from 'vitest';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { allocate, claim, driver, request, slice } from './test-devices.ts';

test('a search without end, with as many constraints as a claim may have', async () => {
  const attributes = (i: number) => ({ same: { string: 'x' }, numa: { string: String(i % 2) } });
  const devices = Array.from({ length: 60 }, (_, i) => ({ name: `d${i}`, attributes: attributes(i) }));
  const same = Array.from({ length: 31 }, () => ({ matchAttribute: `${driver}/same` }));
  const constraints = [...same, { matchAttribute: `${driver}/numa` }];
  const hard = claim('c', [request('gpu', { count: 32 })], { constraints });
  const one = { slices: [slice('s', devices, { nodeName: 'a' })], claims: [hard] };
  const waitMs = await longestTurn(async () => expect(() => allocate(one)).toThrow('timed out'));
  expect(waitMs).toBeLessThan(250);
});
