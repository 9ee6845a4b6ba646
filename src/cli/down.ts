import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  askControl,
  type ClusterStatus,
  clearNetworkPolicies,
  clearPodRoutes,
  clearRuntime,
  clearServices,
  type DataDirectory,
  endFormerMember,
  endFormerNodes,
  type RunInfo,
  readMember,
  readRunInfo,
  releaseRanges,
  runningProcess,
} from '../cluster/cluster.ts';
import { silentLogger } from '../machinery/logger.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { CliError, type ClusterOptions, directoryOf, print } from './options/options.ts';

const stopTimeoutMs = 40_000;
const leaveTimeoutMs = 60_000;
const pollMs = 50;

export async function down(options: ClusterOptions & { delete?: boolean }): Promise<void> {
  const directory = directoryOf(options);
  const configFile = await stat(path.join(directory.root, 'coracle.json')).catch(() => undefined);
  if (!configFile) {
    print(`There is no cluster in ${directory.root}: nothing to stop.`);
    return;
  }
  const running = await runningProcess(directory);
  const leaves = running !== undefined && options.delete === true && (await leaveControlPlane(directory));
  if (running) await stopProcess(running);
  // Of a process that was killed.
  if (existsSync(directory.sandbox)) await down({ name: 'sandbox', dataDir: directory.sandbox, delete: true });
  await endFormerNodes(directory, systemClock);
  const etcd = path.join(directory.root, 'etcd');
  for (const place of [etcd, path.join(directory.root, 'restoring', 'present')])
    await endFormerMember(place, systemClock);
  const member = await readMember(etcd).catch(() => undefined);
  const { others = [] } = (!running && member) || {};
  await clearNodes(directory);
  const name = running?.name ?? (await readRunInfo(directory))?.name ?? options.name;
  await clearServices({ name, dataDirectory: directory.root });
  await clearNetworkPolicies({ name, dataDirectory: directory.root });
  await clearPodRoutes(directory).catch(() => {}); // without iproute2 there are none
  await rm(directory.runFile, { force: true });
  if (leaves && member)
    throw new CliError(
      `the cluster stopped, and its etcd member did not leave the others (see ${directory.log}): its data stays. Start it with "coracle server" and try again`,
    );
  if (options.delete) {
    await rm(directory.root, { recursive: true, force: true });
    await releaseRanges(directory.root);
  }
  const outcome = running ? `Cluster "${running.name}" stopped` : `The cluster in ${directory.root} did not run`;
  print(`${outcome}; ${options.delete ? 'its data was removed' : `its data stays in ${directory.root}`}.`);
  if (options.delete && others.length > 0)
    print('Its etcd member counts for the quorum still: run "coracle node remove NAME" on another server.');
}

/**
 * A server of several takes its etcd member out of the cluster when it stops, so that the others keep their quorum. False
 * for the last one, and for a cluster of one machine.
 */
async function leaveControlPlane(directory: DataDirectory): Promise<boolean> {
  const { controlPlane } = await askControl<ClusterStatus>(directory.controlSocket, 'status').catch(
    () => ({}) as Partial<ClusterStatus>,
  );
  if (!controlPlane || controlPlane.members.length < 2) return false;
  await askControl(directory.controlSocket, 'leave', undefined, leaveTimeoutMs).catch((error) => {
    throw new CliError(
      `the etcd member of this machine cannot leave its cluster: ${error.message}. Start enough of the other servers and try again; or stop this one with "coracle down", and run "coracle node remove" on another server`,
    );
  });
  return true;
}

async function stopProcess({ pid }: RunInfo): Promise<void> {
  const isAlive = () => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  process.kill(pid, 'SIGTERM');
  for (let waitedMs = 0; isAlive(); waitedMs += pollMs) {
    if (waitedMs > stopTimeoutMs)
      throw new CliError(`the process ${pid} does not end: look at its log, and end it with "kill -9 ${pid}"`);
    await systemClock.sleep(pollMs);
  }
}

/** Stops the containers of every node that ran here, also after a crash. */
async function clearNodes(directory: DataDirectory): Promise<void> {
  const nodes = await readdir(path.join(directory.root, 'nodes')).catch(() => []);
  for (const name of nodes)
    await clearRuntime(directory.node(name), { clock: systemClock, random: systemRandom, logger: silentLogger }).catch(
      (error) => {
        throw new CliError(
          `the containers of the node ${name} may still run: ${error.message}. Start the container runtime, and run "down" again`,
        );
      },
    );
}
