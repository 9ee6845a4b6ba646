// Runs the cluster in this process: for `up` in the foreground, or in the background with a log file.

import { flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { ClusterConfig } from '../cluster/config.ts';
import { runCluster } from '../cluster/run.ts';
import { Metrics } from '../machinery/metrics.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { createLogger, ignoreOutputErrors } from './logger.ts';
import { CliError } from './options.ts';

/** Messages from the background process to the command that started it. */
export type StepMessage =
  | { readonly type: 'step'; readonly name: string; readonly ms: number }
  | { readonly type: 'ready' }
  | { readonly type: 'error'; readonly message: string };

/** Pending work may delay stopping; after this time the process exits anyway. */
const stopTimeoutMs = 30_000;

/** `tell` reports to the command that started this process; without it a failure is thrown. */
export async function runInProcess(config: ClusterConfig, tell?: (message: StepMessage) => void): Promise<void> {
  ignoreOutputErrors();
  const logger = createLogger(1);
  let running: Awaited<ReturnType<typeof runCluster>> | undefined;
  let ending = false;
  const end = async (code: number) => {
    if (ending) return;
    ending = true;
    systemClock.after(stopTimeoutMs, () => process.exit(1), { background: true });
    await running?.stop();
    logger.info('stopped');
    process.exit(code);
  };
  process.on('SIGTERM', () => void end(0));
  process.on('SIGINT', () => void end(0));
  process.on('uncaughtException', (error) => {
    logger.error('unexpected error', { error: String(error.stack) });
    void end(1);
  });
  process.on('unhandledRejection', (error) =>
    logger.error('unhandled rejection', { error: String((error as Error)?.stack ?? error) }),
  );
  const environment = { clock: systemClock, random: systemRandom, logger, metrics: new Metrics() };
  try {
    running = await runCluster(config, environment, nodeCommand(), {
      onStep: (name, ms) => tell?.({ type: 'step', name, ms }),
      onStopRequest: () => void end(0),
      onFatal: () => void end(1),
    });
  } catch (error) {
    const message = explain(error as NodeJS.ErrnoException, config);
    logger.error('cluster did not start', { error: String((error as Error).stack) });
    if (!tell) throw new CliError(message);
    tell({ type: 'error', message });
    process.exit(1);
  }
  tell?.({ type: 'ready' });
  // A process that runs for long is rather killed than ended.
  flushCompileCache();
  if (ending) await running.stop();
}

/** The nodes' process allocates little: a small young generation suffices. */
const nodeFlags = ['--max-semi-space-size=2', ...process.execArgv.filter((flag) => flag === '--enable-source-maps')];

const nodeCommand = (): string[] => [
  process.execPath,
  ...nodeFlags,
  fileURLToPath(new URL('nodes.js', import.meta.url)),
];

/** The remedy for the user. */
function explain(error: NodeJS.ErrnoException & { port?: number }, config: ClusterConfig): string {
  if (error.code === 'EADDRINUSE')
    return `port ${error.port ?? config.port} is taken by another process: choose another with --port, or --port 0 for any free one`;
  if (error.code === 'ENOSPC')
    return `the disk that holds ${config.dataDirectory} is full: free some space, or choose another place with --data-dir`;
  return error.message;
}
