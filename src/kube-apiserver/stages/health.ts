// The checks of the store behind /healthz, /livez and /readyz.
// https://kubernetes.io/docs/reference/using-api/health-checks/

import type { HealthCheck } from '../../machinery/health-checks.ts';
import type { KeyService, KeyServices, Store, StoreProblem } from '../../store/store.ts';

/**
 * The checks of the store. Every endpoint checks reads; `readyz` also checks writes, because a full disk is no reason
 * to restart the server.
 */
export function storeChecks(store: Store, fault: () => string | undefined): readonly HealthCheck[] {
  let asking: Promise<StoreProblem | undefined> | undefined;
  // Concurrent requests share one check, which may be slow.
  const health = () =>
    (asking ??= store.health().finally(() => {
      asking = undefined;
    }));
  const check = async (endpoint: string) => {
    const problem = await health();
    return fault() ?? (problem && (endpoint === 'readyz' || !problem.canBeRead) ? problem.message : undefined);
  };
  return [
    { name: 'etcd', check },
    { name: 'etcd-readiness', endpoints: ['readyz'], check },
    ...(store.keyServices ? keyServiceChecks(store.keyServices) : []),
  ];
}

/**
 * A check for each key management service, or one for all of them if they can change. They are no reason to restart the
 * server, so `livez` does not run them. https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
 */
function keyServiceChecks(services: KeyServices): readonly HealthCheck[] {
  const endpoints = ['healthz', 'readyz'] as const;
  const healthOf = async (some: readonly KeyService[]) => {
    const problems = await Promise.all(some.map((service) => service.health()));
    return problems.filter((problem) => problem !== undefined).join(', ') || undefined;
  };
  if (services.canChange) return [{ name: 'kms-providers', endpoints, check: () => healthOf(services.list()) }];
  return services.list().map((service, i) => ({ name: `kms-provider-${i}`, endpoints, check: () => service.health() }));
}
