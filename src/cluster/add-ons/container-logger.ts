// Writes the log of a part of the node into its container's log, in the format of Kubernetes' components:
// https://kubernetes.io/docs/concepts/cluster-administration/system-logs/#klog

import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';

type Level = 'I' | 'W' | 'E';

export function containerLogger(log: (line: string) => void, clock: Pick<Clock, 'now'>): Logger {
  const write = (level: Level, message: string, fields: Record<string, unknown>) => {
    const [, month, day, time] = /^\d+-(\d\d)-(\d\d)T([\d:.]+)Z$/.exec(new Date(clock.now()).toISOString()) ?? [];
    const text = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value) ?? 'undefined'}`);
    log(`${level}${month}${day} ${time}000 ${process.pid}] ${JSON.stringify(message)}${text.join('')}`);
  };
  const withFields = (own: Record<string, unknown>): Logger => ({
    debug() {},
    info: (message, fields) => write('I', message, { ...own, ...fields }),
    warn: (message, fields) => write('W', message, { ...own, ...fields }),
    error: (message, fields) => write('E', message, { ...own, ...fields }),
    child: (fields) => withFields({ ...own, ...fields }),
  });
  return withFields({});
}
