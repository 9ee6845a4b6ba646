// The main process of a machine that has nodes alone: in the foreground, or in the background, where `agent` starts it.

import { once } from 'node:events';
import { type AgentConfig, runAgent as start } from '../../cluster/cluster.ts';
import { runInProcess, type StepMessage, tellStarter } from './run-in-process.ts';

export async function runAgent(): Promise<void> {
  const [config] = (await once(process, 'message')) as [AgentConfig];
  await runInForeground(config, tellStarter);
}

export const runInForeground = (config: AgentConfig, tell?: (message: StepMessage) => void): Promise<void> =>
  runInProcess(
    (environment, { nodes }, hooks) => start(config, environment, nodes, hooks),
    (error) => explain(error, config),
    tell,
  );

/** The remedy for the user. */
function explain(error: NodeJS.ErrnoException, { node }: AgentConfig): string {
  if (error.code === 'ENOSPC')
    return `the disk that holds ${node.dataDirectory} is full: free some space, or choose another place with --data-dir`;
  return error.message;
}
