// A control plane of three as processes: API servers are killed, paused, cut off and slowed down, their clocks jump,
// etcd members are killed, paused and restarted on a full disk. Clients outside find no acknowledged write lost, none
// made or seen twice, no version that goes back, and no two leaders that act.

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EtcdMember } from '../../src/cluster/etcd-member/etcd-member.ts';
import {
  eventually,
  isEtcdInstalled,
  type TestMachines,
  testMachines,
} from '../../src/cluster/etcd-member/test-members.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import type { ServerOptions } from './control-plane-server.ts';
import { Link } from './link.ts';
import { isLong, rounds, seed, seeded } from './long.ts';
import { Clients } from './steady-clients.ts';

const program = path.join(import.meta.dirname, 'control-plane-server.ts');
/** CORACLE_TEST_ROUNDS makes a long run shorter. */
const longRounds = Number(process.env['CORACLE_TEST_ROUNDS'] ?? 60);
const jumpMs = 3_600_000;
const shortFaults = ['pause a server'] as const;
const longFaults = [
  ...shortFaults,
  'kill a server' as const,
  ...(['cut a server off', 'slow the links of a server', 'set a clock back', 'set a clock forward'] as const),
  ...(['kill a member', 'pause a member', 'pause the leader of etcd', 'fill a disk'] as const),
];
type Fault = (typeof longFaults)[number];

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
}

describe.skipIf(!isEtcdInstalled)('three processes (skipped where the command etcd is not installed)', () => {
  const random = seeded('control plane processes');
  let machines: TestMachines;
  let members: readonly EtcdMember[] = [];
  /** Of each server to each member. */
  let links: readonly (readonly Link[])[] = [];
  const servers: Server[] = [];
  let starts = 0;
  let disk: string | undefined;

  async function start(index: number): Promise<Server> {
    const options: ServerOptions = {
      ...{ name: `server-${index}`, seed: seed + starts++, tls: members[index].tls },
      endpoints: links[index].map(({ port }) => `https://127.0.0.1:${port}`),
    };
    const child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return { child, url: `http://127.0.0.1:${port}` };
  }
  async function end({ child }: Server): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  beforeAll(async () => {
    machines = await testMachines();
    if (isLong && process.getuid?.() === 0) {
      disk = path.join(machines.root, 'three');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', disk]);
    }
    const one = await machines.start('one');
    const join = { endpoints: one.endpoints };
    members = [one, await machines.start('two', { join }), await machines.start('three', { join })];
    links = await Promise.all(
      members.map(() => Promise.all(members.map(({ endpoints }) => Link.to(Number(new URL(endpoints[0]).port))))),
    );
    servers.push(...(await Promise.all(members.map((_, index) => start(index)))));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(servers.map(end));
    await Promise.all(links.flat().map((link) => link.close()));
    await Promise.all(members.map((member) => member.stop()));
    if (disk) execFileSync('umount', [disk]);
    await machines.end();
  }, 60_000);

  /** Longer than a Lease: a paused leader is replaced. */
  const lasts = () => systemClock.sleep(7_000 + random.int(isLong ? 30_000 : 1));

  async function inflict(fault: Fault): Promise<void> {
    const index = random.int(servers.length);
    const { child } = servers[index];
    switch (fault) {
      case 'kill a server':
        await end(servers[index]);
        servers[index] = await start(index);
        return;
      case 'pause a server':
        child.kill('SIGSTOP');
        await lasts();
        child.kill('SIGCONT');
        return;
      case 'cut a server off':
        for (const link of links[index]) link.cut();
        await lasts();
        for (const link of links[index]) link.heal();
        return;
      case 'slow the links of a server':
        for (const link of links[index]) link.delayMs = 200;
        await lasts();
        for (const link of links[index]) link.delayMs = 0;
        return;
      case 'set a clock back':
      case 'set a clock forward': {
        const ms = fault.endsWith('back') ? -jumpMs : jumpMs;
        child.send({ jumpMs: ms });
        await lasts();
        child.send({ jumpMs: -ms });
        return;
      }
      default:
        return inflictOnMember(fault);
    }
  }

  async function inflictOnMember(fault: Fault): Promise<void> {
    const statuses = await Promise.all(members.map((member) => member.status()));
    const leader = Math.max(
      0,
      statuses.findIndex(({ isLeader }) => isLeader),
    );
    const { pid = 0 } = statuses[fault === 'pause the leader of etcd' ? leader : random.int(statuses.length)];
    if (fault === 'kill a member') return void process.kill(pid, 'SIGKILL');
    if (fault === 'fill a disk') {
      if (!disk) return;
      try {
        execFileSync('dd', ['if=/dev/zero', `of=${disk}/filler`, 'bs=1M'], { stdio: 'ignore' });
      } catch {} // it ends when the disk is full
      process.kill(statuses[2].pid ?? 0, 'SIGKILL');
      await lasts();
      return rmSync(path.join(disk, 'filler'));
    }
    process.kill(pid, 'SIGSTOP');
    await lasts();
    process.kill(pid, 'SIGCONT');
  }

  test(
    'clients outside see one cluster',
    async () => {
      const clients = new Clients(() => servers.map(({ url }) => url), random);
      await clients.start();
      const record: string[] = [];
      for (let round = 0; round < rounds(shortFaults.length, longRounds); round++) {
        const fault = isLong ? longFaults[round % longFaults.length] : shortFaults[round];
        const beginMs = systemClock.monotonic();
        await inflict(fault);
        await eventually(() => clients.writesOnAll(), 60_000);
        await eventually(
          () => expect(members.map((m) => m.health())).toEqual([undefined, undefined, undefined]),
          90_000,
        );
        record.push(`${fault}: ${Math.round(systemClock.monotonic() - beginMs)} ms, ${clients.summary()}`);
        if (isLong) console.log(record.at(-1));
        expect(clients.faults, record.join('\n')).toEqual([]);
      }
      await clients.stop();
      expect(await clients.verdict(isLong ? 100 : 2), record.join('\n')).toEqual([]);
    },
    isLong ? 6_000_000 : 120_000,
  );
});
