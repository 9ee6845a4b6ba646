// Services with thousands of ports: each is validated and gets its ports in one turn of the event loop.

import { expect, test } from 'vitest';
import type { Service } from '../../api/api.ts';
import { faultFinder } from '../../api/kinds/test-faults.ts';
import { seededRandom } from '../../machinery/random.ts';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { NodePorts } from './node-ports.ts';

const longestMs = 250;
const ports = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
const range = { from: 10_000, to: 40_000 };

test('8,000 node ports are drawn', async () => {
  const nodePorts = new NodePorts(range, seededRandom(1), (_, attempt) => attempt());
  const next = { metadata: { name: 's' }, spec: { type: 'NodePort', ports: ports(8_000) } } as unknown as Service;
  const waitMs = await longestTurn(async () => nodePorts.give({ next, live: undefined, dryRun: false, undo: [] }));
  expect(new Set(next.spec?.ports?.map(({ nodePort }) => nodePort)).size).toBe(8_000);
  expect(waitMs).toBeLessThan(longestMs);
});

test('8,000 node ports are validated', async () => {
  const spec = { type: 'NodePort', selector: { a: 'b' }, ports: [{ port: 80 }] };
  const finder = faultFinder('v1/services', { spec });
  finder.onCreate('spec.ports', ports(1));
  let faults: readonly string[] = ['not validated'];
  const waitMs = await longestTurn(async () => (faults = finder.onCreate('spec.ports', ports(8_000))));
  expect(faults).toEqual([]);
  expect(waitMs).toBeLessThan(longestMs);
});
