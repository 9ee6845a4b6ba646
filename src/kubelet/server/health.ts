// The checks behind the kubelet's /healthz, with Kubernetes' names.

import { HealthChecks } from '../../machinery/health-checks.ts';
import type { KubeletTools } from '../tools.ts';

export function kubeletHealth({
  clock,
  cache,
  devices,
}: Pick<KubeletTools, 'clock' | 'cache' | 'devices'>): HealthChecks {
  const health = new HealthChecks(clock.now() / 1_000 - process.uptime());
  health.add({ name: 'syncloop', check: () => cache.error });
  if (devices) health.add({ name: 'device-plugin', check: () => undefined });
  return health;
}
