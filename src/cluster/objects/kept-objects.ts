// Objects that the API server itself maintains while it runs: deleted ones are soon recreated, without a controller.
// The intervals are those of kube-apiserver.

import type { Client } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { ensureAuthenticationInfo } from './authentication-info.ts';
import { ensureCollections } from './bootstrap.ts';
import type { DefaultServiceRange } from './default-service-range.ts';
import type { BootstrapInputs } from './extra-objects.ts';
import { ensureTokenTracking } from './token-tracking.ts';

/** The service of the API server, and the range that it is from. */
const serviceEveryMs = 10_000;
const service = ['/api/v1/services'];
/** The system's namespaces, and the ways and levels of API priority and fairness. */
const systemEveryMs = 60_000;
const system = [
  '/api/v1/namespaces',
  '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
  '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas',
];

export function keepObjects(
  client: Client,
  inputs: BootstrapInputs,
  range: DefaultServiceRange,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): { publishTrust(): Promise<void>; stop(): void } {
  const publishTrust = () => ensureAuthenticationInfo(client, inputs);
  const every = (ms: number, objects: string, keep: () => Promise<void>) => {
    let timer = clock.after(ms, tick, { background: true });
    let isStopped = false;
    async function tick() {
      await keep().catch((error) => {
        if (!isStopped) logger.warn('control plane objects not restored', { objects, error: String(error) });
      });
      if (!isStopped) timer = clock.after(ms, tick, { background: true });
    }
    return () => {
      isStopped = true;
      timer.cancel();
    };
  };
  const stops = [
    every(serviceEveryMs, 'service', () => ensureCollections(client, inputs, service)),
    every(serviceEveryMs, 'service range', () => range.ensure()),
    every(systemEveryMs, 'system', () => ensureCollections(client, inputs, system)),
    every(systemEveryMs, 'authorities', publishTrust),
    every(systemEveryMs, 'token tracking', () => ensureTokenTracking(client, clock)),
  ];
  return {
    publishTrust: () =>
      publishTrust().catch((error) => {
        logger.warn('changed authorities not published, trying again later', { error: String(error) });
      }),
    stop() {
      for (const stop of stops) stop();
    },
  };
}
