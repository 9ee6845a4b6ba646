// The log of a cluster's process: JSON lines by pino.

import { pino } from 'pino';
import type { Logger } from '../machinery/logger.ts';

/** Lines up to this size wait while writing fails (a full disk); more are dropped. */
const waitingBytes = 256 << 10;

/** Logs to a file descriptor or a file; never throws on a write error. */
export function createLogger(destination: number | string, usualLevel = 'info'): Logger {
  const level = process.env['CORACLE_LOG_LEVEL'] ?? usualLevel;
  const stream = pino.destination({ dest: destination, sync: true, maxLength: waitingBytes });
  stream.on('error', () => {});
  const root = pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  const wrap = (logger: typeof root): Logger => ({
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields) => wrap(logger.child(fields)),
  });
  return wrap(root);
}

/** The cluster matters more than its log: unwritable lines are dropped. */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => {});
}
