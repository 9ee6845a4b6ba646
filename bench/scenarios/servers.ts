// Measures how long users wait when machines join and die: three servers on a real etcd and a node, in network
// namespaces of this machine. Needs root, etcd, nft, bridge, busybox and the test tools (./coracle test brings them).

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive } from '../../test/e2e/busybox-archive.ts';
import {
  type ControlPlane,
  controlPlaneMachines,
  endControlPlane,
  leaderOf,
  livingLeader,
  serverNamed,
  serverOptions,
  serverPid,
  startControlPlane,
} from '../../test/e2e/control-plane.ts';
import { eventually, type Machine, Networks, whyNot } from '../../test/e2e/machine.ts';
import type { SteadyRecord } from '../../test/e2e/steady-client.ts';
import { webService } from '../../test/e2e/web-service.ts';
import type { Figure } from '../scenario.ts';

const balancerAddress = '192.0.2.200';
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const figure = (name: string, value: number): Figure => ({ name, value, unit: 'ms', better: 'less' });

/** Starts, measures and removes a control plane of three; throws where the machine cannot have one. */
export async function measureServers(): Promise<readonly Figure[]> {
  const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/usr/bin/etcd', '/bin/busybox');
  if (reason) throw new Error(`cannot measure servers here: ${reason}`);
  const networks = new Networks();
  let plane: ControlPlane | undefined;
  try {
    plane = controlPlaneMachines(networks);
    const joinMs = await startControlPlane(plane, ['--load-balancer-range', `${balancerAddress}-192.0.2.201`]);
    return [
      figure('a node joins, to Ready', joinMs),
      figure('write again after kill -9 of a server', await writeGap(plane)),
      ...(await handOver(plane)),
      figure('a load balancer address moves', await balancerGap(networks, plane)),
    ];
  } finally {
    if (plane) await endControlPlane(plane);
    networks.dispose();
  }
}

/** The longest time without a write for a client on the node, whose server is killed; that server starts again. */
async function writeGap({ servers, node }: ControlPlane): Promise<number> {
  const config = readFileSync(servers[0].kubeconfig, 'utf8');
  const file = path.join(node.directory, 'client.kubeconfig');
  writeFileSync(file, config.replace(/server: .*/, `server: https://${await localBalancer(node)}`), { mode: 0o600 });
  const program = path.resolve(import.meta.dirname, '../../test/e2e/steady-client.ts');
  const client = node.background(process.execPath, [program, file]);
  await pause(2_000);
  const killed = await serverOfBalancer(servers, node);
  process.kill(serverPid(killed.machine), 'SIGKILL');
  await pause(5_000);
  client.child.stdin?.end();
  await new Promise((done) => client.child.once('exit', done));
  const record: SteadyRecord = JSON.parse(client.text());
  await killed.machine.must('server', ...serverOptions(killed.name, killed.machine));
  return record.longestWriteGapMs;
}

/** Where the balancer on a node listens. */
async function localBalancer(node: Machine): Promise<string> {
  const { stdout } = await node.run('ss', ['-Hltnp', 'src', '127.0.0.1']);
  const line = stdout.split('\n').find((row) => row.includes(`pid=${serverPid(node)},`));
  const address = /127\.0\.0\.1:\d+/.exec(line ?? '')?.[0];
  if (!address) throw new Error(`no balancer among the listening sockets:\n${stdout}`);
  return address;
}

/** The server that the node's balancer uses. */
async function serverOfBalancer(servers: readonly Machine[], node: Machine) {
  const { stdout } = await node.run('ss', ['-Htnp', 'state', 'established']);
  const rows = stdout.split('\n').filter((row) => row.includes(`pid=${serverPid(node)},`));
  const index = servers.findIndex(({ address }) => rows.some((row) => row.includes(` ${address}:`)));
  if (index < 0) throw new Error(`the balancer is connected to no server:\n${stdout}`);
  return { machine: servers[index], name: `server-${index + 1}` };
}

/** The time until others lead: after kill -9 of the leaders' server, and after `down` of it. */
async function handOver(plane: ControlPlane): Promise<readonly Figure[]> {
  const { servers } = plane;
  const figures: Figure[] = [];
  for (const [what, end] of [
    ['kill -9 of the server', async (machine: Machine) => void process.kill(serverPid(machine), 'SIGKILL')],
    ['coracle down on it', (machine: Machine) => machine.must('down')],
  ] as const) {
    const name = await livingLeader('kube-controller-manager', servers[0]);
    const former = serverNamed(plane, name);
    const other = servers.find((machine) => machine !== former);
    if (!other) throw new Error('no other server');
    const beginMs = performance.now();
    const ending = end(former);
    await eventually(async () => {
      if ((await leaderOf('kube-controller-manager', other)) === name) throw new Error(`${name} leads on`);
    }, 60_000);
    figures.push(figure(`controllers lead elsewhere after ${what}`, performance.now() - beginMs));
    await ending;
    await former.must('server', ...serverOptions(name, former));
  }
  return figures;
}

/** The time until a client on another machine has an answer again, after the cable of the address' node is cut. */
async function balancerGap(networks: Networks, plane: ControlPlane): Promise<number> {
  const { servers, node } = plane;
  const machines = [...servers, node];
  const [first] = servers;
  const image = 'example.test/busybox:1';
  const client = networks.machine('one');
  const ask = async () => {
    const url = `http://${balancerAddress}/cgi-bin/who`;
    const { code, stdout } = await client.run('curl', ['-sS', '--max-time', '0.3', url]);
    if (code !== 0) throw new Error('no answer');
    return stdout.trim().split(' ')[0];
  };
  try {
    await Promise.all(
      machines.map((machine) => machine.must('image', 'load', busyboxArchive(machine.directory, image))),
    );
    await first.apply(...webService(image));
    await first.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
    const name = await eventually(ask);
    const holder = name === 'worker' ? node : serverNamed(plane, name);
    networks.connect(holder, 'down');
    const beginMs = performance.now();
    try {
      return await eventually(async () => {
        if ((await ask()) === name) throw new Error(`${name} still answers`);
        return performance.now() - beginMs;
      }, 30_000);
    } finally {
      networks.connect(holder, 'up');
    }
  } finally {
    client.dispose();
  }
}
