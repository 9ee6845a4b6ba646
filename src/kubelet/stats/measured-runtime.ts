// The container runtime with its calls counted and timed, as Kubernetes' kubelet does.
// https://kubernetes.io/docs/reference/instrumentation/metrics/ (kubelet_runtime_operations_*)

import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';

type Call = (...args: readonly unknown[]) => unknown;

/** Kubernetes' names of the operations, by the methods that they are here. */
const operations = {
  status: 'status',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  listPodSandboxes: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  reopenContainerLog: 'reopen_container_log',
  containerStats: 'list_container_stats',
  exec: 'exec',
  execSync: 'exec_sync',
  attach: 'attach',
  portForward: 'port_forward',
  listImages: 'list_images',
  imageStatus: 'image_status',
  pullImage: 'pull_image',
  removeImage: 'remove_image',
} as const satisfies Partial<Record<keyof ContainerRuntime, string>>;

const untimed = [
  'updatePodCidrs',
  'updatePodSandboxResources',
  'imageDirectory',
  'memoryUsageBytes',
  'events',
  'probe',
  'destroyAll',
  'close',
] as const;

/** In seconds: fourteen buckets from 5 ms, each two and a half times the previous one. */
const buckets = Array.from({ length: 14 }, (_, i) => 0.005 * 2.5 ** i);

export function measured(runtime: ContainerRuntime, metrics: Metrics, clock: Clock): ContainerRuntime {
  const total = metrics.counter(
    'kubelet_runtime_operations_total',
    'Cumulative number of runtime operations by operation type.',
  );
  const errors = metrics.counter(
    'kubelet_runtime_operations_errors_total',
    'Cumulative number of runtime operation errors by operation type.',
  );
  const duration = metrics.histogram(
    'kubelet_runtime_operations_duration_seconds',
    'Duration in seconds of runtime operations. Broken down by operation type.',
    buckets,
  );
  const methods = new Map<PropertyKey, unknown>();
  const bound = (method: keyof ContainerRuntime) => {
    const call = runtime[method];
    return typeof call === 'function' ? (call as Call).bind(runtime) : undefined;
  };
  for (const method of untimed) methods.set(method, bound(method));
  for (const [method, operation_type] of Object.entries(operations)) {
    const call = must(bound(method as keyof ContainerRuntime), method);
    const labels = { operation_type };
    methods.set(method, async (...args: unknown[]) => {
      const beginMs = clock.monotonic();
      total.add(1, labels);
      try {
        return await call(...args);
      } catch (error) {
        errors.add(1, labels);
        throw error;
      } finally {
        duration.observe((clock.monotonic() - beginMs) / 1000, labels);
      }
    });
  }
  return new Proxy(runtime, {
    get: (target, name) => (methods.has(name) ? methods.get(name) : Reflect.get(target, name)),
  });
}
