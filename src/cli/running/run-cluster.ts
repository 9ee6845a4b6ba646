// The main process of a cluster: in the foreground, or in the background, where `up` starts it, sends the configuration
// and waits for `ready`.

import { once } from 'node:events';
import type { ClusterConfig } from '../../cluster/config.ts';
import { runCluster as start } from '../../cluster/run.ts';
import { runInProcess, type StepMessage, tellStarter } from './run-in-process.ts';

export async function runCluster(): Promise<void> {
  const [config] = (await once(process, 'message')) as [ClusterConfig];
  await runInForeground(config, tellStarter);
}

export const runInForeground = (config: ClusterConfig, tell?: (message: StepMessage) => void): Promise<void> =>
  runInProcess(
    (environment, programs, hooks) => start(config, environment, programs, hooks),
    (error) => explain(error, config),
    tell,
  );

/** The remedy for the user. */
function explain(error: NodeJS.ErrnoException & { port?: number }, config: ClusterConfig): string {
  if (error.code === 'EADDRINUSE')
    return `port ${error.port ?? config.port} is taken by another process: choose another with --port, or --port 0 for any free one`;
  if (error.code === 'ENOSPC')
    return `the disk that holds ${config.dataDirectory} is full: free some space, or choose another place with --data-dir`;
  return error.message;
}
