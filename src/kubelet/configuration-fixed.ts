// Fields of KubeletConfiguration with one permitted value: the only way in which this kubelet works.

import { deepEqual } from '../machinery/collections/equal.ts';
import { isFields } from '../machinery/parsed.ts';
import { parseDuration } from '../machinery/time/duration.ts';

const noBuffer = { infoBufferSize: '0' };

/**
 * Fields with the only values that this kubelet has. Files that a tool wrote, such as kubeadm, have them all. An empty
 * text, an empty object and a duration of zero stand for the default.
 */
const fixed: Readonly<Record<string, readonly unknown[]>> = {
  ...{ address: [], port: [0], enableServer: [true], enableDebuggingHandlers: [true] },
  ...{ authentication: [{ webhook: { enabled: true }, anonymous: { enabled: false } }] },
  authorization: [{ mode: 'Webhook' }],
  ...{ rotateCertificates: [true], readOnlyPort: [0], registerNode: [true], runOnce: [false] },
  ...{ cgroupDriver: ['cgroupfs'], cgroupsPerQOS: [true], cgroupRoot: ['', '/'], cpuCFSQuota: [true] },
  ...{ cpuCFSQuotaPeriod: ['100ms'], enforceNodeAllocatable: [['pods']], failSwapOn: [false] },
  ...{ memorySwap: [{ swapBehavior: 'NoSwap' }], hairpinMode: ['promiscuous-bridge', 'hairpin-veth'] },
  ...{ makeIPTablesUtilChains: [false], enableControllerAttachDetach: [true] },
  ...{ localStorageCapacityIsolation: [true], configMapAndSecretChangeDetectionStrategy: ['Watch'] },
  ...{ enableSystemLogHandler: [true], protectKernelDefaults: [false], serverTLSBootstrap: [false] },
  ...{ syncFrequency: ['1m', '1m0s', '60s'] },
  ...{ runtimeRequestTimeout: ['2m', '2m0s'], streamingConnectionIdleTimeout: [] },
  ...{ volumeStatsAggPeriod: ['1m', '1m0s'], crashLoopBackOff: [{ maxContainerRestartPeriod: '300s' }] },
  ...{ shutdownGracePeriod: [], shutdownGracePeriodCriticalPods: [], containerRuntimeEndpoint: [] },
  logging: [{ flushFrequency: 0, verbosity: 0, options: { json: noBuffer, text: noBuffer } }],
  contentType: ['application/json'],
};

/** Throws an Error for a field that is not among them, or has another value. */
export function checkFixed(name: string, value: unknown): void {
  if (!Object.hasOwn(fixed, name)) throw new Error(`field ${JSON.stringify(name)} is not supported`);
  const essential = withoutDefaults(value);
  if (essential === undefined || fixed[name].some((only) => isPartOf(essential, only))) return;
  const allowed = fixed[name].map((only) => JSON.stringify(only)).join(' or ') || 'left out';
  throw new Error(`field ${JSON.stringify(name)} has a value that is not supported: it can only be ${allowed}`);
}

/** Whether each field of an object has the same value in the other. */
function isPartOf(value: unknown, whole: unknown): boolean {
  if (!isFields(value) || !isFields(whole)) return deepEqual(value, whole);
  return Object.entries(value).every(([name, part]) => Object.hasOwn(whole, name) && isPartOf(part, whole[name]));
}

/** Undefined for a value that stands for the default. */
function withoutDefaults(value: unknown): unknown {
  if (!isFields(value))
    return value === '' || (typeof value === 'string' && parseDuration(value) === 0) ? undefined : value;
  const parts = Object.entries(value)
    .map(([name, part]) => [name, withoutDefaults(part)] as const)
    .filter(([, part]) => part !== undefined);
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}
