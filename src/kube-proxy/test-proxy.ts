// A back-end in a separate process, which a test starts inside a network namespace.
// usage: node test-proxy.ts nftables|userspace 4|6; each input line is the service ports as JSON, or "remove"; each output
// line is "ok" or the error.

import { createInterface } from 'node:readline';
import { silentLogger } from '../machinery/logger.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import type { ProxyBackend } from './backend.ts';
import { createNftablesBackend } from './nftables.ts';
import { addressLabel, createUserspaceBackend } from './userspace.ts';

const family = process.argv[3] === '6' ? 6 : 4;

const create: Record<string, () => Promise<ProxyBackend> | ProxyBackend> = {
  nftables: () =>
    createNftablesBackend({
      table: 'coracle-test',
      family,
      clusterCidrs: ['10.244.0.0/16', 'fd00::10:244:0:0/96'],
      nodeIPs: ['192.0.2.10', 'fd00::192:0:2:10'],
      logger: silentLogger,
    }),
  userspace: () =>
    createUserspaceBackend({
      label: addressLabel('test'),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    }),
};

const backend = await create[process.argv[2]]();
process.stdout.write('ok\n');
for await (const line of createInterface({ input: process.stdin })) {
  const done =
    line === 'remove' ? backend.remove() : backend.sync(JSON.parse(line), ['10.96.0.0/12', 'fd00::10:96:0:0/96']);
  process.stdout.write(
    `${await done.then(
      () => 'ok',
      (error) => String(error),
    )}\n`,
  );
}
process.exit(0);
