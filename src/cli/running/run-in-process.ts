// Runs a cluster, or an agent, in this process until it is stopped: in the foreground, or in the background with a log
// file.

import { flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Environment, Programs } from '../../cluster/cluster.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createLogger, ignoreOutputErrors } from '../logger.ts';
import { CliError } from '../options/options.ts';

/** Messages from the background process to the command that started it. */
export type StepMessage =
  | { readonly type: 'step'; readonly name: string; readonly ms: number }
  | { readonly type: 'ready' }
  | { readonly type: 'error'; readonly message: string };

/** Pending work may delay stopping; after this time the process exits anyway. */
const stopTimeoutMs = 30_000;

interface RunHooks {
  onStep(name: string, ms: number): void;
  onStopRequest(): void;
  onFatal(error: Error): void;
}

type Run = (environment: Environment, programs: Programs, hooks: RunHooks) => Promise<{ stop(): Promise<void> }>;

/** `report` answers the command that started this process; without it a failure is thrown. */
export async function runInProcess(
  run: Run,
  explain: (error: NodeJS.ErrnoException & { port?: number }) => string,
  report?: (message: StepMessage) => void,
): Promise<void> {
  ignoreOutputErrors();
  const logger = createLogger(1);
  let running: Awaited<ReturnType<Run>> | undefined;
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
    running = await run(environment, programs(), {
      onStep: (name, ms) => report?.({ type: 'step', name, ms }),
      onStopRequest: () => void end(0),
      onFatal: () => void end(1),
    });
  } catch (error) {
    const message = explain(error as NodeJS.ErrnoException);
    logger.error('start failed', { error: String((error as Error).stack) });
    if (!report) throw new CliError(message);
    report({ type: 'error', message });
    process.exit(1);
  }
  report?.({ type: 'ready' });
  // A process that runs for long is rather killed than ended.
  flushCompileCache();
  if (ending) await running.stop();
}

/** The nodes' process allocates little: a small young generation suffices. */
const nodeFlags = ['--max-semi-space-size=2', ...process.execArgv.filter((flag) => flag === '--enable-source-maps')];

const programs = (): Programs => ({
  nodes: [process.execPath, ...nodeFlags, fileURLToPath(new URL('nodes.js', import.meta.url))],
  cli: [process.execPath, ...process.execArgv, process.argv[1]],
});

/** To the command that started this process in the background. */
export const tellStarter = (message: StepMessage): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};
