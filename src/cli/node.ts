import { isNotFound } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import {
  askControl,
  type ClusterStatus,
  type DataDirectory,
  drainNode,
  JoinError,
  removeNode,
} from '../cluster/cluster.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { CliError, type ClusterOptions, print } from './options/options.ts';
import { asAdministrator } from './running/as-administrator.ts';

const memberTimeoutMs = 60_000;

interface DrainCommand extends ClusterOptions {
  readonly force?: boolean;
  readonly deleteEmptydirData?: boolean;
  /** In milliseconds. */
  readonly timeout: number;
}

export async function drain(name: string, options: DrainCommand): Promise<void> {
  await asAdministrator(options, async (client) => {
    await drainOf(client, name, options);
    print(`Node ${name} is drained: no new pod comes to it. "kubectl uncordon ${name}" opens it again.`);
  });
}

export async function remove(name: string, options: DrainCommand): Promise<void> {
  await asAdministrator(options, async (client, directory) => {
    await drainOf(client, name, options, removeNode);
    await removeMember(directory, name);
    print(`Node ${name} is removed. Run "coracle down --delete" on its machine: it could join again otherwise.`);
  });
}

/** A node that was a server has a member in etcd. */
async function removeMember(directory: DataDirectory, name: string): Promise<void> {
  const { controlPlane } = await askControl<ClusterStatus>(directory.controlSocket, 'status');
  if (!controlPlane?.members.some((member) => member.name === name)) return;
  await askControl(directory.controlSocket, 'remove-member', { name }, memberTimeoutMs).catch((error) => {
    throw new CliError(`the node is removed, and its etcd member is not: ${error.message}`);
  });
  print(`  removed the etcd member ${name}`);
}

async function drainOf(client: Client, name: string, options: DrainCommand, act = drainNode): Promise<void> {
  await act(client, name, {
    force: options.force ?? false,
    deleteEmptyDirData: options.deleteEmptydirData ?? false,
    timeoutMs: options.timeout,
    clock: systemClock,
    onEvicted: (pod) => print(`  evicted ${pod}`),
  }).catch((error) => {
    if (isNotFound(error)) throw new CliError(`there is no node ${name}: see "kubectl get nodes"`);
    throw error instanceof JoinError ? new CliError(error.message) : error;
  });
}
