// The API server alone, with the flags of kube-apiserver.

import { flushCompileCache } from 'node:module';
import {
  apiServerHelp,
  apiServerVersion,
  readApiServerCommand,
  startApiServer,
} from '../cluster/api-server/api-server.ts';
import { Metrics } from '../machinery/metrics.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { createLogger, ignoreOutputErrors } from './logger.ts';
import { endWith } from './running/until-ended.ts';

/** From this value of -v on, everything is logged. */
const detailed = 4;

/** Serves until the process gets a signal to end. */
export async function kubeApiserver(words: readonly string[]): Promise<void> {
  const { values, faults, ignored } = readApiServerCommand(words);
  if (values.help) return void process.stdout.write(apiServerHelp());
  if (values.version !== 'false') return void process.stdout.write(`${apiServerVersion()}\n`);
  if (faults.length > 0) return fail(faults.join('\n'), 2);
  ignoreOutputErrors();
  const logger = createLogger(2, values.v >= detailed ? 'debug' : undefined);
  for (const name of ignored) logger.warn('a flag has no effect here', { flag: `--${name}` });
  let running: Awaited<ReturnType<typeof startApiServer>> | undefined;
  const end = endWith(async () => running?.stop(), values['shutdown-delay-duration']);
  process.on('uncaughtException', (error) => {
    logger.error('unexpected error', { error: String(error.stack) });
    end(1);
  });
  process.on('unhandledRejection', (error) =>
    logger.error('unhandled rejection', { error: String((error as Error)?.stack ?? error) }),
  );
  try {
    running = await startApiServer(values, {
      clock: systemClock,
      random: systemRandom,
      logger,
      metrics: new Metrics(),
    });
  } catch (error) {
    return fail(explain(error as NodeJS.ErrnoException), 1);
  }
  logger.info('ready', { port: running.port });
  // A process that runs for long is rather killed than ended.
  flushCompileCache();
}

function explain(error: NodeJS.ErrnoException & { port?: number }): string {
  if (error.code === 'EADDRINUSE')
    return `port ${error.port} is taken by another process: choose another --secure-port`;
  return process.env['CORACLE_DEBUG'] ? String(error.stack) : error.message;
}

function fail(message: string, code: number): void {
  process.stderr.write(`kube-apiserver: ${message}\n`);
  process.exit(code);
}
