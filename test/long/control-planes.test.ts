// Three etcd members and three API servers under writes: members are killed and paused, servers are replaced. No
// acknowledged write is lost or made twice, versions never go back for a client, and watches have every change once.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EtcdMember } from '../../src/cluster/etcd-member/etcd-member.ts';
import {
  eventually,
  isEtcdInstalled,
  type TestMachines,
  testMachines,
} from '../../src/cluster/etcd-member/test-members.ts';
import { configMap, startTestServer, type TestServer } from '../../src/kube-apiserver/testing/test-server.ts';
import { seededRandom } from '../../src/machinery/random.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { openStore } from '../../src/store/store.ts';
import { isLong, rounds, seed, seeded } from './long.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const names = ['a', 'b', 'c', 'd'];
const reader = { name: 'reader', groups: ['system:masters'] };

describe.skipIf(!isEtcdInstalled)('a control plane of three (skipped where the command etcd is not installed)', () => {
  const random = seeded('control planes');
  let machines: TestMachines;
  let members: readonly EtcdMember[];
  let servers: TestServer[];

  async function serverAt(index: number): Promise<TestServer> {
    const { tls } = members[index];
    const store = await openStore({ kind: 'etcd', clock: systemClock, endpoints: () => members[index].endpoints, tls });
    return startTestServer({ store, random: seededRandom(seed + index) });
  }
  async function end(server: TestServer): Promise<void> {
    await server.stop();
    await server.store.close();
  }

  beforeAll(async () => {
    machines = await testMachines();
    const one = await machines.start('one');
    const join = { endpoints: one.endpoints };
    members = [one, await machines.start('two', { join }), await machines.start('three', { join })];
    await eventually(() => expect(members.map(({ endpoints }) => endpoints.length)).toEqual([3, 3, 3]));
    servers = await Promise.all([0, 1, 2].map(serverAt));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(servers.map(end));
    await machines.end();
  }, 60_000);

  /** One client, on a random server for each request. Adds 1 to random objects until `isOver`. */
  async function write(isOver: () => boolean, counts: Map<string, { acknowledged: number; unknown: number }>) {
    const seen = new Map<string, number>();
    const any = () => servers[random.int(servers.length)];
    while (!isOver()) {
      const name = names[random.int(names.length)];
      const count = counts.get(name)!;
      const { code, body } = await any().call('GET', `${maps}/${name}`);
      if (code !== 200) continue;
      const version = Number(body.metadata.resourceVersion);
      expect(version, 'a version went back').toBeGreaterThanOrEqual(seen.get(name) ?? 0);
      seen.set(name, version);
      const next = configMap(
        name,
        { resourceVersion: body.metadata.resourceVersion },
        { n: String(Number(body.data.n) + 1) },
      );
      const answer = await any().call('PUT', `${maps}/${name}`, next);
      if (answer.code === 200) {
        count.acknowledged++;
        seen.set(name, Number(answer.body.metadata.resourceVersion));
      } else if (answer.code >= 500) count.unknown++;
      else expect(answer.code).toBe(409);
    }
  }

  /** The numbers of each object, as a watch through the server has them. */
  async function follow(server: TestServer, resourceVersion: string, signal: AbortSignal) {
    const numbers = new Map<string, number[]>(names.map((name) => [name, []]));
    const query = { watch: 'true', resourceVersion };
    const { events } = await server.transport(reader).send({ method: 'GET', path: maps, query, signal });
    const done = (async () => {
      for await (const { type, object } of events ?? []) {
        if (type !== 'MODIFIED') throw new Error(`${type} ${JSON.stringify(object)}`);
        numbers.get(object.metadata?.name ?? '')?.push(Number((object as any).data.n));
      }
    })();
    return { numbers, done };
  }

  const faults = [
    'kill a member',
    'pause a member',
    'replace a server',
    'kill the leader',
    'pause the leader',
  ] as const;

  async function inflict(fault: (typeof faults)[number]): Promise<void> {
    if (fault === 'replace a server') {
      const former = servers[2];
      servers[2] = await serverAt(2);
      return end(former);
    }
    const statuses = await Promise.all(members.map((member) => member.status()));
    const leader = statuses.findIndex(({ isLeader }) => isLeader);
    const index = fault.endsWith('leader') ? leader : random.int(members.length);
    const { pid = 0 } = statuses[Math.max(index, 0)];
    if (fault.startsWith('kill')) return void process.kill(pid, 'SIGKILL');
    process.kill(pid, 'SIGSTOP');
    await systemClock.sleep(isLong ? 20_000 : 3_000);
    process.kill(pid, 'SIGCONT');
  }

  test(
    'writes survive the loss of any member',
    async () => {
      for (const name of names) await servers[0].call('POST', maps, configMap(name, {}, { n: '0' }));
      const { body } = await servers[0].call('GET', maps);
      const stop = new AbortController();
      const watches = await Promise.all(
        servers.slice(0, 2).map((server) => follow(server, body.metadata.resourceVersion, stop.signal)),
      );
      const counts = new Map(names.map((name) => [name, { acknowledged: 0, unknown: 0 }]));
      let isOver = false;
      const writing = Promise.all([1, 2, 3].map(() => write(() => isOver, counts)));
      for (let round = 0; round < rounds(5, 100); round++) {
        await inflict(faults[isLong ? random.int(faults.length) : round]);
        await systemClock.sleep(1_000);
        await eventually(
          () => expect(members.map((m) => m.health())).toEqual([undefined, undefined, undefined]),
          60_000,
        );
      }
      isOver = true;
      await writing;
      for (const [name, { acknowledged, unknown }] of counts) {
        const values = await Promise.all(servers.map((server) => server.call('GET', `${maps}/${name}`)));
        const [total, ...others] = values.map((answer) => Number(answer.body.data.n));
        expect(others, name).toEqual([total, total]);
        expect(total, name).toBeGreaterThanOrEqual(acknowledged);
        expect(total, name).toBeLessThanOrEqual(acknowledged + unknown);
        expect(acknowledged, name).toBeGreaterThan(20);
        for (const { numbers } of watches)
          await eventually(() =>
            expect(numbers.get(name)).toEqual(Array.from({ length: total as number }, (_, i) => i + 1)),
          );
      }
      if (isLong) console.log([...counts]);
      stop.abort();
      await Promise.all(watches.map(({ done }) => done));
    },
    rounds(120_000, 6_000_000),
  );
});
