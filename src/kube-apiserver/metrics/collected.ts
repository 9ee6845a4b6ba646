// Gauges that are computed when metrics are read, under the names of Kubernetes.

import gates from '../../../facts/feature-gates.json' with { type: 'json' };
import { kubernetesVersion, resourceKey } from '../../api/api.ts';
import type { RangeUsage } from '../allocation/allocators.ts';
import type { Server } from '../server.ts';

export function collectMetrics(server: Server): void {
  const { metrics, store, clock, allocators } = server;
  let storeBytes = 0;
  let isAsking = false;
  let cpuSeconds = 0;
  setConstants(server);
  metrics.onCollect(() => {
    collectObjects(server);
    for (const range of allocators.usage()) setUsage(server, range);
    const { user, system } = process.cpuUsage();
    setProcess(server, (user + system) / 1e6 - cpuSeconds);
    cpuSeconds = (user + system) / 1e6;
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

/** The resources that were asked for: others are not in memory. */
function collectObjects({ metrics, kinds, cache }: Server): void {
  const objects = metrics.gauge('apiserver_resource_objects', 'Number of stored objects by resource.');
  const stored = metrics.gauge('apiserver_storage_objects', 'Number of stored objects by resource.');
  const revisions = metrics.gauge('apiserver_watch_cache_resource_version', 'Revision of the watch cache.');
  const byPrefix = new Map(kinds.all().map((kind) => [kind.storagePrefix, kind]));
  for (const { prefix, size } of cache.all) {
    const kind = byPrefix.get(prefix.slice('/registry/'.length, -1));
    if (!kind) continue;
    const { group, resource } = kind;
    objects.set(size, { group, resource });
    stored.set(size, { resource: resourceKey(resource, group) });
    revisions.set(cache.revision, { group, resource });
  }
}

function setUsage({ metrics }: Server, { kind, cidr, size, used }: RangeUsage): void {
  const labels: Record<string, string> = cidr === undefined ? {} : { cidr };
  const [name, unit] = kind === 'address' ? ['clusterip', 'ips'] : ['nodeport', 'ports'];
  const prefix = `kube_apiserver_${name}_allocator`;
  metrics.gauge(`${prefix}_allocated_${unit}`, `Number of allocated ${unit} of services.`).set(used, labels);
  metrics.gauge(`${prefix}_available_${unit}`, `Number of free ${unit} of services.`).set(size - used, labels);
}

function setProcess({ metrics }: Server, cpuSeconds: number): void {
  metrics.counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.').add(cpuSeconds);
  metrics.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.').set(process.memoryUsage.rss());
}
