import type { ClusterStatus } from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, directoryOf, green, print, red, seconds } from './options/options.ts';

export async function status(options: ClusterOptions & { output: 'text' | 'json' }): Promise<void> {
  const directory = directoryOf(options);
  const running = await runningProcess(directory);
  if (!running) {
    if (options.output === 'json') print(JSON.stringify({ name: options.name, running: false }));
    throw new CliError(
      options.output === 'json' ? '' : `no cluster runs in ${directory.root}: start it with "./coracle up"`,
      3,
    );
  }
  const current = await askControl<ClusterStatus>(directory.controlSocket, 'status').catch((error) => {
    throw new CliError(
      `the cluster (process ${running.pid}) does not answer: ${error.message}. Its log is ${directory.log}`,
    );
  });
  if (options.output === 'json') print(JSON.stringify({ ...current, running: true }, null, 2));
  else printStatus(current);
  if (current.problems.length > 0)
    throw new CliError(options.output === 'json' ? '' : current.problems.join('\n       '));
}

function printStatus(current: ClusterStatus): void {
  const minutes = Math.floor(current.uptimeSeconds / 60);
  const uptime =
    minutes >= 60
      ? `${Math.floor(minutes / 60)} h ${minutes % 60} min`
      : minutes > 0
        ? `${minutes} min`
        : `${current.uptimeSeconds} s`;
  print(`${bold(current.name)}  ${current.address}`);
  print(`  version     ${current.version} (Kubernetes ${current.kubernetesVersion})`);
  print(`  up          ${uptime}, ${mebibytes(current.memoryBytes)}`);
  for (const { name, pid, memoryBytes } of current.processes)
    print(`  process     ${pid}, ${mebibytes(memoryBytes)} (${name})`);
  if (current.kubeconfig) print(`  kubeconfig  ${current.kubeconfig}`);
  print('\nComponents');
  for (const part of current.components)
    print(
      `  ${mark(!part.problem)} ${part.name.padEnd(26)} started in ${seconds(part.startMs)}${restartsOf(part)}${part.problem ? `  ${red(part.problem)}` : ''}`,
    );
  if (current.controlPlane) printControlPlane(current.controlPlane);
  print('\nNodes');
  for (const node of current.nodes)
    print(
      `  ${mark(node.ready)} ${node.name.padEnd(26)} ${node.address ?? ''}  ${node.runtime ?? ''}${node.problem ? `  ${red(node.problem)}` : ''}`,
    );
}

function printControlPlane({ leaders, members }: NonNullable<ClusterStatus['controlPlane']>): void {
  print('\nControl plane');
  for (const [component, node] of Object.entries(leaders))
    print(`     ${component.padEnd(26)} led by ${node || 'none'}`);
  for (const { name, version, isLeader, isLearner, sizeBytes = 0 } of members)
    print(
      `  ${mark(version !== undefined && !isLearner)} ${`etcd ${name}`.padEnd(26)} ${version ? `${version}, ${mebibytes(sizeBytes)}` : red('does not answer')}${isLeader ? ', leader' : ''}`,
    );
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
const restartsOf = ({ restarts = 0 }: ClusterStatus['components'][number]) =>
  restarts > 0 ? `, restarted ${restarts === 1 ? 'once' : `${restarts} times`}` : '';
const mark = (good: boolean) => (good ? green('ok') : red('!!'));
