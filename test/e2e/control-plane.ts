// A control plane of three machines on a real etcd, and a node.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, type Machine, type Networks } from './machine.ts';

export interface ControlPlane {
  /** server-1, server-2 and server-3: the last one is on another network. */
  readonly servers: readonly Machine[];
  /** The node "worker". */
  readonly node: Machine;
}

/** Makes the machines, which are the caller's to dispose of when the start fails as well. */
export function controlPlaneMachines(networks: Networks): ControlPlane {
  const servers = [networks.machine('one'), networks.machine('one'), networks.machine('two')];
  for (const machine of servers) machine.kubeconfig = path.join(machine.dataDirectory, 'kubeconfig');
  return { servers, node: networks.machine('one') };
}

export const serverNamed = ({ servers }: ControlPlane, name: string): Machine => servers[Number(name.slice(-1)) - 1];

/** The options by which the server of this name starts. */
export const serverOptions = (name: string, { address }: Machine): string[] => [
  ...['--node-name', name],
  ...['--node-ip', address],
];

/** Starts them one after the other, servers with more options. Returns the milliseconds that the node took to join. */
export async function startControlPlane(
  { servers, node }: ControlPlane,
  options: readonly string[] = [],
): Promise<number> {
  const [first, ...others] = servers;
  const printed = await first.must('server', '--cluster-init', ...serverOptions('server-1', first), ...options);
  const [serverJoin, nodeJoin] = [/\.\/coracle server (.*)/, /\.\/coracle agent (.*)/].map(
    (form) => form.exec(printed)?.[1].split(' ') ?? [],
  );
  for (const [index, machine] of others.entries())
    await machine.must('server', ...serverJoin, ...serverOptions(`server-${index + 2}`, machine), ...options);
  const beginMs = performance.now();
  await node.must('agent', ...nodeJoin, ...serverOptions('worker', node));
  return performance.now() - beginMs;
}

export async function endControlPlane({ servers, node }: ControlPlane): Promise<void> {
  for (const machine of [node, ...servers]) await machine.own('down', '--delete');
  for (const machine of [node, ...servers]) machine.dispose();
}

/** The name of the server whose component of this Lease leads, or led when it died. */
export async function leaderOf(component: string, at: Machine): Promise<string> {
  return (await leaseOf(component, at)).holderIdentity.split('_')[0];
}

/** The name of the server whose component of this Lease leads: its holder renews it. */
export async function livingLeader(component: string, at: Machine): Promise<string> {
  const before = await leaseOf(component, at);
  return eventually(async () => {
    const now = await leaseOf(component, at);
    if (!now.holderIdentity || now.renewTime === before.renewTime) throw new Error(`${component}: no renewal is seen`);
    return now.holderIdentity.split('_')[0];
  }, 40_000);
}

async function leaseOf(component: string, at: Machine): Promise<{ holderIdentity: string; renewTime: string }> {
  const text = await at.kubectl('-n', 'kube-system', 'get', 'lease', component, '-o', 'json');
  return JSON.parse(text).spec;
}

/** The process of a running cluster's control plane. */
export const serverPid = ({ dataDirectory }: Machine): number =>
  JSON.parse(readFileSync(path.join(dataDirectory, 'run.json'), 'utf8')).pid;
