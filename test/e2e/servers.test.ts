// A control plane of three machines on a real etcd, and a node: a cut cable, a paused server, a killed one.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import {
  type ControlPlane,
  controlPlaneMachines,
  endControlPlane,
  leaderOf,
  serverNamed,
  serverOptions,
  serverPid,
  startControlPlane,
} from './control-plane.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/usr/bin/etcd');

describe.skipIf(reason)(`three servers${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let plane: ControlPlane | undefined;
  let servers: readonly Machine[];
  let node: Machine;
  /** Names of the config maps whose creation was acknowledged. */
  const acknowledged: string[] = [];
  let formerVersion = 0;

  const serverOf = (name: string) => serverNamed(plane!, name);

  /** Writes for a while; each write that is acknowledged must be there at the end. */
  async function write(at: Machine, prefix: string, count: number): Promise<number> {
    let failures = 0;
    for (let i = 0; i < count; i++) {
      const name = `${prefix}-${i}`;
      const { code } = await at.tryKubectl(['create', 'configmap', name, '--request-timeout=5s']);
      if (code === 0) acknowledged.push(name);
      else failures++;
    }
    return failures;
  }
  const missing = async (at: Machine) => {
    const names = new Set((await at.kubectl('get', 'configmaps', '-o', 'name')).trim().split('\n'));
    return acknowledged.filter((name) => !names.has(`configmap/${name}`));
  };

  const versionOf = async (at: Machine, name: string) =>
    Number(await at.kubectl('get', 'configmap', name, '-o', 'jsonpath={.metadata.resourceVersion}'));

  beforeAll(async () => {
    networks = new Networks();
    plane = controlPlaneMachines(networks);
    ({ servers, node } = plane);
    const [first] = servers;
    // It was a cluster of one machine before.
    await first.must('up', ...serverOptions('server-1', first));
    await write(first, 'before', 3);
    formerVersion = await versionOf(first, 'before-2');
    await first.must('down');
    await startControlPlane(plane);
  }, 120_000);
  afterAll(async () => {
    if (plane) await endControlPlane(plane);
    networks?.dispose();
  }, 120_000);

  test('they are one cluster: nodes, endpoints of the API, and one leader', async () => {
    const nodes = await servers[1].kubectl('get', 'nodes', '--no-headers');
    expect(
      nodes
        .trim()
        .split('\n')
        .map((row) => row.split(/ +/).slice(0, 3).join(' ')),
    ).toEqual([
      'server-1 Ready control-plane',
      'server-2 Ready control-plane',
      'server-3 Ready control-plane',
      'worker Ready <none>',
    ]);
    expect(await write(servers[2], 'first', 3)).toBe(0);
    expect(await missing(servers[0])).toEqual([]);
    expect(await leaderOf('kube-controller-manager', servers[2])).toMatch(/^server-\d$/);
    expect(await servers[1].must('status')).toMatch(/ok etcd server-3/);
  });

  test('the objects of the former store are there, with later versions', async () => {
    expect(acknowledged).toContain('before-2');
    expect(await versionOf(servers[2], 'before-2')).toBeGreaterThan(formerVersion);
  });

  test('while the cable of the leader is cut no write fails, another leads, and all is well afterwards', async () => {
    const former = await leaderOf('kube-controller-manager', servers[0]);
    const others = servers.filter((machine) => machine !== serverOf(former));
    networks.connect(serverOf(former), 'down');
    try {
      expect(await write(others[0], 'cut', 10)).toBe(0);
      await eventually(
        async () => expect(await leaderOf('kube-controller-manager', others[1])).not.toBe(former),
        30_000,
      );
      expect(await node.must('status')).toMatch(/ok worker/);
    } finally {
      networks.connect(serverOf(former), 'up');
    }
    await eventually(async () => expect(await missing(serverOf(former))).toEqual([]), 30_000);
    await eventually(async () => {
      for (const machine of servers) await machine.must('status');
    }, 60_000);
  }, 150_000);

  longTest(
    'a leader that was paused does not lead on',
    async () => {
      const former = await leaderOf('kube-controller-manager', servers[0]);
      const other = servers.find((machine) => machine !== serverOf(former));
      if (!other) throw new Error('no other server');
      const pid = serverPid(serverOf(former));
      process.kill(pid, 'SIGSTOP');
      try {
        expect(await write(other, 'paused', 5)).toBe(0);
        await eventually(async () => expect(await leaderOf('kube-controller-manager', other)).not.toBe(former), 40_000);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      const next = await leaderOf('kube-controller-manager', other);
      await eventually(async () => expect(await missing(serverOf(former))).toEqual([]), 30_000);
      expect(await leaderOf('kube-controller-manager', serverOf(former))).toBe(next);
    },
    120_000,
  );

  test('a server that is killed starts again without a token, with all that was written', async () => {
    process.kill(serverPid(servers[2]), 'SIGKILL');
    expect(await write(servers[0], 'killed', 3)).toBe(0);
    await servers[2].must('server', ...serverOptions('server-3', servers[2]));
    expect(await missing(servers[2])).toEqual([]);
  }, 60_000);

  longTest(
    'a server does not take the name of another one at a later start',
    async () => {
      await servers[2].must('down');
      const start = (name: string) => servers[2].own('server', '--node-name', name, '--node-ip', servers[2].address);
      expect((await start('server-1')).stderr).toMatch(/this server is the node server-3, and a server keeps its name/);
      expect(await start('server-3')).toMatchObject({ code: 0 });
      expect(await servers[2].must('certificates', 'renew')).toMatch(
        /\d+ certificates are renewed, with new keys, and in use/,
      );
      expect(await write(servers[2], 'renewed', 3)).toBe(0);
      // The process of the nodes starts again with its new certificates.
      await eventually(() => servers[2].must('status'), 60_000);
    },
    150_000,
  );

  longTest(
    'a machine without the right key, or with the name of a server, does not join, and leaves nothing',
    async () => {
      const stranger = networks.machine('one');
      try {
        const command = JSON.parse(await servers[0].must('token', 'create', '--server', '-o', 'json'));
        const join = ['--join', command.server, '--token', command.token, '--ca-cert-hash', command.caCertHash];
        const attempt = (...args: string[]) =>
          stranger.own('server', ...join, '--node-ip', stranger.address, '--node-name', 'stranger', ...args);
        expect((await attempt()).stderr).toMatch(/--join needs --certificate-key/);
        const wrong = await attempt('--certificate-key', '0'.repeat(64));
        expect(wrong).toMatchObject({ code: 1 });
        expect(wrong.stderr).toMatch(/--certificate-key is not that of this cluster/);
        const taken = await attempt('--certificate-key', command.certificateKey, '--node-name', 'server-2');
        expect(taken).toMatchObject({ code: 1 });
        expect(taken.stderr).toMatch(/the cluster has a node server-2 that is Ready: choose another name/);
        expect((await stranger.run('ls', [path.join(stranger.directory, 'data')])).stdout).not.toMatch(
          /pki|etcd|server/,
        );
        expect((await servers[0].kubectl('get', 'nodes', '-o', 'name')).trim().split('\n')).toHaveLength(4);
      } finally {
        await stranger.own('down', '--delete');
        stranger.dispose();
      }
    },
    60_000,
  );

  longTest(
    'a server that is deleted leaves the cluster, and a dead one is removed',
    async () => {
      await servers[2].must('down', '--delete');
      await servers[0].must('node', 'remove', 'server-3', '--timeout', '30s');
      // The killed process of the test before may hold a Lease until it expires.
      await eventually(async () => expect(await servers[0].must('status')).not.toMatch(/server-3/), 30_000);
      expect(await write(servers[1], 'two', 2)).toBe(0);
      expect(await missing(servers[0])).toEqual([]);
    },
    90_000,
  );

  longTest(
    'a server that is stopped after its first start has its member at the next one',
    async () => {
      await servers[1].must('down');
      await servers[1].must('server', ...serverOptions('server-2', servers[1]));
      expect(await servers[0].must('status')).toMatch(/etcd server-2/);
    },
    60_000,
  );

  longTest(
    'a server that is removed while it runs stops, and names the remedy',
    async () => {
      const [first, second] = servers;
      const pid = serverPid(second);
      // A member has left just now: the servers may be connecting to the others again.
      await eventually(() => first.must('node', 'remove', 'server-2', '--timeout', '30s'), 30_000);
      await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 30_000);
      const log = readFileSync(path.join(second.directory, 'data/coracle.log'), 'utf8');
      expect(log).toMatch(/has removed the etcd member server-2 of this machine: this server stops/);
      const again = await second.own('server', ...serverOptions('server-2', second));
      expect(again.code).not.toBe(0);
      expect(again.stderr).toMatch(/has removed this machine: run "coracle down --delete" on it/);
      expect(await write(first, 'alone', 1)).toBe(0);
      expect(await missing(first)).toEqual([]);
    },
    90_000,
  );

  longTest(
    'a server that is restored from a backup begins a new control plane, with later versions',
    async () => {
      const [first] = servers;
      const file = path.join(first.directory, 'today.backup');
      await first.must('backup', 'create', file);
      expect(await write(first, 'lost', 2)).toBe(0);
      const before = await versionOf(first, 'lost-1');
      await first.must('down');
      const refused = await first.own('restore', file, '--yes', '--etcd-cafile', '/nowhere/ca');
      expect(refused.stderr).toMatch(/--etcd-cafile, .* need --etcd-endpoints/);
      const restored = await first.must('restore', file, '--yes');
      expect(restored).toMatch(/configmaps +2 /);
      expect(restored).toMatch(/\.\/coracle server --cluster-init/);
      const command = ['server', ...serverOptions('server-1', first)];
      expect((await first.own(...command)).stderr).toMatch(/give --cluster-init/);
      await first.must(...command, '--cluster-init');
      expect(await missing(first)).toEqual(['lost-0', 'lost-1']);
      expect(await versionOf(first, 'before-2')).toBeGreaterThan(before);
      await first.must('status');
    },
    90_000,
  );
});
