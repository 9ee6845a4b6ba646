// Gauges that are computed when metrics are read, under the names of Kubernetes.

import gates from '../../../facts/feature-gates.json' with { type: 'json' };
import { kubernetesVersion, resourceKey } from '../../api/api.ts';
import { encryptionMetrics } from '../../store/store.ts';
import type { RangeUsage } from '../allocation/allocators.ts';
import { averageBytes } from '../fairness/width.ts';
import type { Server } from '../server.ts';
import { accessMetrics } from './access-metrics.ts';
import { admissionMetrics } from './admission-metrics.ts';
import { allocationMetrics } from './allocation-metrics.ts';
import { auditMetrics } from './audit-metrics.ts';
import { celMetrics } from './cel-metrics.ts';
import { connectionMetrics } from './connection-metrics.ts';
import { discoveryMetrics } from './discovery-metrics.ts';
import { podSecurityMetrics } from './pod-security-metrics.ts';
import { requestMetrics } from './request-metrics.ts';
import { storageMetrics } from './storage-metrics.ts';
import { watchMetrics } from './watch-metrics.ts';

export function collectMetrics(server: Server): void {
  const { metrics, store, clock, allocators } = server;
  let storeBytes = 0;
  let isAsking = false;
  registerMetrics(server);
  setConstants(server);
  metrics.onCollect(() => {
    collectObjects(server);
    collectUnavailable(server);
    for (const { name, lost } of server.auditor?.backends ?? [])
      auditMetrics(metrics).errors.total(lost, { plugin: name });
    for (const range of allocators.usage()) setUsage(server, range);
    setProcess(server);
    metrics
      .gauge('apiserver_storage_size_bytes', 'Size of the storage database file in bytes.')
      .set(storeBytes, { storage_cluster_id: 'etcd-0' });
    if (isAsking) return;
    // The next reader gets this size.
    isAsking = true;
    void store
      .size()
      .then((bytes) => (storeBytes = bytes))
      .catch(() => {})
      .finally(() => (isAsking = false));
  });
  void store.size().then(
    (bytes) => (storeBytes = bytes),
    () => {},
  );
  metrics
    .gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.')
    .set(clock.now() / 1_000 - process.uptime());
}

function setConstants({ metrics }: Server): void {
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler } = kubernetesVersion;
  metrics.gauge('kubernetes_build_info', 'Versions of this build; the value is 1.').set(1, {
    build_date: buildDate,
    compiler,
    git_commit: gitCommit,
    git_tree_state: gitTreeState,
    git_version: gitVersion,
    go_version: goVersion,
    major,
    minor,
    platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  });
  metrics.gauge('version_info', 'Compatibility version of the component; the value is 1.').set(1, {
    binary: `${major}.${minor}`,
    component: 'kube',
    emulation: `${kubernetesVersion.emulationMajor}.${kubernetesVersion.emulationMinor}`,
    min_compat: `${kubernetesVersion.minCompatibilityMajor}.${kubernetesVersion.minCompatibilityMinor}`,
  });
  const enabled = metrics.gauge('kubernetes_feature_enabled', 'Whether a feature is on, by its name and stage.');
  for (const [name, { stage, default: isOn }] of Object.entries(gates.featureGates))
    enabled.set(isOn ? 1 : 0, { name, stage });
}

/** So that each metric has its type from the start. */
function registerMetrics(server: Server): void {
  const { metrics } = server;
  for (const register of [
    accessMetrics,
    allocationMetrics,
    auditMetrics,
    celMetrics,
    connectionMetrics,
    discoveryMetrics,
    encryptionMetrics,
    podSecurityMetrics,
    requestMetrics,
    storageMetrics,
    watchMetrics,
  ])
    register(metrics);
  admissionMetrics(server);
}

/** The requested resources: others are not in memory. */
function collectObjects({ metrics, kinds, cache }: Server): void {
  const gauge = (name: string, help: string) => {
    const made = metrics.gauge(name, help);
    // A definition may have been removed.
    made.clear();
    return made;
  };
  const objects = gauge('apiserver_resource_objects', 'Number of stored objects by resource.');
  const stored = gauge('apiserver_storage_objects', 'Number of stored objects by resource.');
  const revisions = gauge('apiserver_watch_cache_resource_version', 'Revision of the watch cache.');
  const capacities = gauge('watch_cache_capacity', 'Total capacity of watch cache broken by resource type.');
  const sizes = gauge('apiserver_resource_size_estimate_bytes', 'Estimated size of stored objects in database.');
  const byPrefix = new Map(kinds.all().map((kind) => [kind.storagePrefix, kind]));
  for (const resourceCache of cache.all) {
    const { prefix, size, capacity } = resourceCache;
    const kind = byPrefix.get(prefix.slice('/registry/'.length, -1));
    if (!kind) continue;
    const { group, resource } = kind;
    const labels = { group, resource };
    objects.set(size, labels);
    stored.set(size, { resource: resourceKey(resource, group) });
    revisions.set(cache.revision, labels);
    capacities.set(capacity, labels);
    sizes.set(Math.round(size * averageBytes(resourceCache)), labels);
  }
}

function collectUnavailable({ metrics, aggregation }: Server): void {
  const gauge = metrics.gauge(
    'aggregator_unavailable_apiservice',
    'Gauge of APIServices which are marked as unavailable broken down by APIService name.',
  );
  gauge.clear();
  for (const { name, isAvailable } of aggregation.all()) gauge.set(isAvailable ? 0 : 1, { name });
}

function setUsage({ metrics }: Server, { kind, cidr, size, used }: RangeUsage): void {
  const labels: Record<string, string> = cidr === undefined ? {} : { cidr };
  const [name, unit] = kind === 'address' ? ['clusterip', 'ips'] : ['nodeport', 'ports'];
  const prefix = `kube_apiserver_${name}_allocator`;
  metrics.gauge(`${prefix}_allocated_${unit}`, `Number of allocated ${unit} of services.`).set(used, labels);
  metrics.gauge(`${prefix}_available_${unit}`, `Number of free ${unit} of services.`).set(size - used, labels);
}

function setProcess({ metrics }: Server): void {
  const { user, system } = process.cpuUsage();
  metrics
    .counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.')
    .total((user + system) / 1e6);
  const { rss, heapTotal, external } = process.memoryUsage();
  metrics.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.').set(rss);
  metrics.gauge('process_heap_bytes', 'Process heap size in bytes.').set(heapTotal + external);
}
