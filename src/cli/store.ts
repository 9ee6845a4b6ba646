import { askControl } from '../cluster/control.ts';
import { type DataDirectory, runningProcess } from '../cluster/data-directory.ts';
import type { ClusterStatus } from '../cluster/run.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { bold, CliError, type ClusterOptions, directoryOf, print } from './options/options.ts';

/** Of a large store. */
const copyTimeoutMs = 3_600_000;
const restartTimeoutMs = 180_000;
const pollMs = 500;

export async function migrate(options: ClusterOptions & { readonly to: 'etcd' }): Promise<void> {
  const directory = directoryOf(options);
  const running = await runningProcess(directory);
  if (!running)
    throw new CliError(
      `no cluster runs in ${directory.root}: start it with "./coracle up", or move its stopped store with "./coracle server --cluster-init"`,
      3,
    );
  print('The store is copied into etcd. The API answers reads; writes get 503 with Retry-After until the end.');
  const { revision } = await askControl<{ revision: number }>(
    directory.controlSocket,
    'migrate-store',
    undefined,
    copyTimeoutMs,
  ).catch((error: Error) => {
    throw new CliError(`the store stays as it is: ${error.message}`);
  });
  print(`All objects up to revision ${revision} are in etcd. The cluster starts again as a server.`);
  await untilServer(directory);
  print(
    `The cluster is the first of several servers. Others join with the command of "${bold('./coracle token create --server')}".`,
  );
}

async function untilServer(directory: DataDirectory): Promise<void> {
  const lastMs = systemClock.monotonic() + restartTimeoutMs;
  for (;;) {
    const status = await askControl<ClusterStatus>(directory.controlSocket, 'status').catch(() => undefined);
    if (status?.controlPlane) return;
    // The same process goes on as a server.
    const isRunning = await runningProcess(directory);
    if (!isRunning || systemClock.monotonic() > lastMs)
      throw new CliError(
        `the cluster ${isRunning ? 'does not answer again' : 'has ended'}: see ${directory.log}, and start it with "./coracle server"`,
      );
    await systemClock.sleep(pollMs);
  }
}
