// The process of a cluster's nodes: kubelets, container runtime, cluster DNS and kube-proxy. The main process starts it.

import { flushCompileCache } from 'node:module';
import { serveNodes, type ToNodeProcess } from '../../cluster/cluster.ts';
import { closeInherited } from '../../container-runtime/container-runtime.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createLogger, ignoreOutputErrors } from '../logger.ts';

export function runNodes(): void {
  // A main process that starts nodes again has its store open.
  if (process.platform === 'linux') closeInherited();
  ignoreOutputErrors();
  const logger = createLogger(1);
  const server = serveNodes(
    { clock: systemClock, random: systemRandom, logger, metrics: new Metrics() },
    {
      send(message) {
        if (message.type === 'ready') flushCompileCache();
        if (process.connected) process.send?.(message, undefined, undefined, () => {});
      },
      end: (code) => process.exit(code),
    },
  );
  process.on('message', (message: ToNodeProcess) => server.receive(message));
  // When the main process ends, this one exits too, as in a crash: containers keep running.
  process.on('disconnect', () => process.exit(1));
  process.on('SIGTERM', () => void server.stop());
  // A terminal also interrupts the main process, which stops this one.
  process.on('SIGINT', () => {});
  process.on('uncaughtException', (error) => {
    logger.error('unexpected error', { error: String(error.stack) });
    process.exit(1);
  });
  process.on('unhandledRejection', (error) =>
    logger.error('unhandled rejection', { error: String((error as Error)?.stack ?? error) }),
  );
}
