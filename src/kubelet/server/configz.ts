// The configuration with which the kubelet runs, as its endpoint /configz shows it.
// https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/

import { formatBytes } from '../../machinery/quantity.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import * as kubelet from '../config.ts';
import { transitionPeriodMs } from '../eviction/manager.ts';
import { defaultHard } from '../eviction/thresholds.ts';
import { resourceManagersConfig } from '../resource-managers/settings.ts';
import { withoutCredentials } from '../static-pods/shown-url.ts';

/** An object with the one field `kubeletconfig`. */
export function configz(config: kubelet.KubeletConfig): object {
  const { eviction = {}, reserved } = config;
  const { cpuManagerReconcilePeriodMs, reservedMemory, ...managers } = resourceManagersConfig(
    config.resourceManagers ?? {},
  );
  const reporting = { ...kubelet.nodeStatusDefaults, ...config.nodeStatus };
  const garbage = { ...kubelet.imageGarbageDefaults, ...config.imageGarbage };
  const softGrace = Object.entries(eviction.evictionSoftGracePeriodMs ?? {});
  return {
    kubeletconfig: {
      ...{ kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1' },
      ...{ address: config.nodeIPs[0], port: config.port, enableServer: true },
      authentication: { x509: {}, webhook: { enabled: true }, anonymous: { enabled: false } },
      authorization: { mode: 'Webhook' },
      ...(config.staticPodPath && { staticPodPath: config.staticPodPath }),
      fileCheckFrequency: formatDuration(config.fileCheckFrequencyMs ?? kubelet.fileCheckFrequencyMs),
      ...(config.staticPodURL && { staticPodURL: withoutCredentials(config.staticPodURL) }),
      ...(config.staticPodURLHeader && { staticPodURLHeader: masked(config.staticPodURLHeader) }),
      httpCheckFrequency: formatDuration(config.httpCheckFrequencyMs ?? kubelet.httpCheckFrequencyMs),
      ...{ clusterDomain: config.clusterDomain, clusterDNS: config.clusterDNS },
      syncFrequency: formatDuration(kubelet.syncFrequencyMs),
      nodeStatusUpdateFrequency: formatDuration(reporting.updateMs),
      nodeStatusReportFrequency: formatDuration(reporting.reportMs),
      ...{ nodeLeaseDurationSeconds: reporting.leaseSeconds, nodeStatusMaxImages: reporting.maxImages },
      imageMinimumGCAge: formatDuration(garbage.minimumAgeMs),
      imageMaximumGCAge: formatDuration(garbage.maximumAgeMs),
      imageGCHighThresholdPercent: garbage.highThresholdPercent,
      imageGCLowThresholdPercent: garbage.lowThresholdPercent,
      ...{ ...managers, cpuManagerReconcilePeriod: formatDuration(cpuManagerReconcilePeriodMs) },
      ...(reservedMemory.length > 0 && { reservedMemory }),
      ...{ maxPods: config.maxPods, podPidsLimit: config.podPidsLimit ?? -1 },
      containerLogMaxSize: formatBytes(config.containerLogMaxSize),
      containerLogMaxFiles: config.containerLogMaxFiles,
      containerLogMonitorInterval: formatDuration(
        config.containerLogMonitorIntervalMs ?? kubelet.containerLogMonitorIntervalMs,
      ),
      seccompDefault: config.seccompDefault ?? false,
      ...(config.allowedUnsafeSysctls && { allowedUnsafeSysctls: config.allowedUnsafeSysctls }),
      systemReserved: { cpu: `${reserved.cpuMillis}m`, memory: String(reserved.memoryBytes) },
      evictionHard: eviction.evictionHard ?? defaultHard,
      ...(eviction.evictionSoft && { evictionSoft: eviction.evictionSoft }),
      ...(softGrace.length > 0 && {
        evictionSoftGracePeriod: Object.fromEntries(softGrace.map(([signal, ms]) => [signal, formatDuration(ms)])),
      }),
      ...(eviction.evictionMinimumReclaim && { evictionMinimumReclaim: eviction.evictionMinimumReclaim }),
      evictionPressureTransitionPeriod: formatDuration(
        eviction.evictionPressureTransitionPeriodMs ?? transitionPeriodMs,
      ),
      ...(eviction.evictionMaxPodGracePeriod !== undefined && {
        evictionMaxPodGracePeriod: eviction.evictionMaxPodGracePeriod,
      }),
      registerNode: true,
    },
  };
}

/** Headers may hold credentials. */
const masked = (headers: Readonly<Record<string, readonly string[]>>) =>
  Object.fromEntries(Object.keys(headers).map((name) => [name, ['<masked>']]));
