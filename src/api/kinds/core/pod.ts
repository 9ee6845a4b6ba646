import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import { defaultPodResources } from '../../defaults/pod-resources.ts';
import { defaultHostPorts, defaultPodSpec } from '../../defaults/pod-spec.ts';
import type { LabelSelector, Pod } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { isPodTerminal, isSchedulingGated, qosClass } from '../../objects/pod.ts';
import { podQuota } from '../../objects/resource-usage.ts';
import { specOf } from '../../spec-of.ts';
import { formatTime } from '../../time.ts';
import { ipWarnings } from '../../validation/network.ts';
import { dropDisabledFields } from '../../validation/pod/disabled.ts';
import { validateNewPod } from '../../validation/pod/pod.ts';
import { keepAllButResources, validatePodResize } from '../../validation/pod/resize.ts';
import { validatePodStatusUpdate } from '../../validation/pod/status.ts';
import { validateEphemeralUpdate } from '../../validation/pod/subresources.ts';
import { validatePodUpdate } from '../../validation/pod/update.ts';
import { podWarnings } from '../../validation/pod/warnings.ts';
import { keepMetadata } from '../keep-metadata.ts';
import { appArmorWarnings, copyAppArmor } from './app-armor.ts';
import { podCells } from './pod-cells.ts';

const streams = { stdin: 'flag', stdout: 'flag', stderr: 'flag', tty: 'flag', container: 'text' } as const;

export const pod: KindBehaviour<Pod> = {
  podTemplate: '',
  watchedBy: 'spec.nodeName',
  literalFields: ['spec.nodeName'],
  answersDeleted: true,
  emptyFields: 'validated',
  hasGeneration: true,
  cells: podCells,
  rowConditions: ({ status }) => finishedRow[status?.phase ?? ''],
  quota: podQuota,
  connections: {
    exec: { type: 'PodExecOptions', fields: { ...streams, command: 'texts' } },
    attach: { type: 'PodAttachOptions', fields: streams },
    portforward: { type: 'PodPortForwardOptions', fields: { ports: 'ports' } },
    proxy: { type: 'PodProxyOptions', fields: { path: 'path' } },
  },
  texts: {
    log: {
      type: 'PodLogOptions',
      fields: {
        container: 'text',
        follow: 'flag',
        insecureSkipTLSVerifyBackend: 'flag',
        limitBytes: 'number',
        pretty: 'text',
        previous: 'flag',
        sinceSeconds: 'number',
        stream: 'text',
        tailLines: 'number',
        timestamps: 'flag',
      },
    },
  },
  selectableFields: {
    'metadata.name': (p) => p.metadata.name,
    'metadata.namespace': (p) => p.metadata.namespace ?? '',
    'spec.nodeName': (p) => p.spec?.nodeName ?? '',
    'spec.restartPolicy': (p) => p.spec?.restartPolicy ?? '',
    'spec.schedulerName': (p) => p.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (p) => p.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (p) => String(p.spec?.hostNetwork ?? false),
    'status.phase': (p) => p.status?.phase ?? '',
    'status.podIP': (p) => p.status?.podIPs?.[0]?.ip ?? p.status?.podIP ?? '',
    'status.nominatedNodeName': (p) => p.status?.nominatedNodeName ?? '',
  },
  strategy: {
    setDefaults(p) {
      p.spec ??= { containers: [] };
      // Admission reads the containers before validation requires one.
      p.spec.containers ??= [];
      p.spec.enableServiceLinks ??= true;
      defaultPodSpec(p.spec);
      defaultHostPorts(p.spec);
      defaultPodResources(p);
      if (p.status) levelAddresses(p.status);
    },
    prepareForCreate(p, { now }) {
      dropDisabledFields(p.spec);
      levelGracePeriod(p);
      copyAppArmor(p);
      p.status = { phase: 'Pending', qosClass: qosClass(specOf(p)) };
      if (isSchedulingGated(p))
        p.status.conditions = [
          {
            type: 'PodScheduled',
            status: 'False',
            lastTransitionTime: formatTime(now),
            reason: 'SchedulingGated',
            message: 'Scheduling is blocked due to non-empty scheduling gates',
          },
        ];
      mergeLabelKeys(p);
    },
    prepareForUpdate(next, old) {
      dropDisabledFields(next.spec, old.spec);
      levelGracePeriod(next);
      // Admission computed these on create.
      specOf(next).priority ??= old.spec?.priority;
      specOf(next).preemptionPolicy ??= old.spec?.preemptionPolicy;
    },
    validate: validateNewPod,
    metadataOnUpdate: ['change', 'whole'],
    validateUpdate: validatePodUpdate,
    warnings: (p, old) =>
      old ? [] : [...appArmorWarnings(p), ...nameWarnings(p.metadata.name), ...podWarnings(p.spec, p.metadata)],
    subresources: {
      status: {
        resetFields: [
          ['metadata', 'deletionTimestamp'],
          ['metadata', 'ownerReferences'],
        ],
        validateUpdate: validatePodStatusUpdate,
        warnings: ({ status }) => [
          ...(status?.podIPs ?? []).flatMap(({ ip }, i) => ipWarnings(`status.podIPs[${i}].ip`, ip)),
          ...(status?.hostIPs ?? []).flatMap(({ ip }, i) => ipWarnings(`status.hostIPs[${i}].ip`, ip)),
        ],
        prepareForUpdate(next, old) {
          // Only the system sets a pod's owners and deletion.
          next.metadata.ownerReferences = old.metadata.ownerReferences;
          if (!next.status) return;
          tidyStatus(next.status, old.status ?? {});
          if (!old.status?.nodeAllocatableResourceClaimStatuses?.length)
            delete next.status.nodeAllocatableResourceClaimStatuses;
        },
      },
      ephemeralcontainers: {
        writtenFields: [['spec', 'ephemeralContainers']],
        prepareForUpdate(next, old) {
          keepMetadata(next, old);
          const { ephemeralContainers: _before, ...spec } = specOf(old);
          const ephemeralContainers = next.spec?.ephemeralContainers;
          next.spec = { ...spec, ...(ephemeralContainers?.length && { ephemeralContainers }) };
          if (old.status) next.status = old.status;
        },
        validateUpdate: validateEphemeralUpdate,
      },
      resize: {
        writtenFields: ['containers', 'initContainers'].flatMap((list) => [
          ['spec', list, '*', 'resources'],
          ['spec', list, '*', 'resizePolicy'],
        ]),
        prepareForUpdate: keepAllButResources,
        validateUpdate: validatePodResize,
      },
    },
    gracePeriodSeconds(p, requested) {
      // A pod that never ran, or has ended, needs no grace period.
      if (!p.spec?.nodeName || isPodTerminal(p)) return 0;
      const seconds = requested ?? p.spec.terminationGracePeriodSeconds ?? 30;
      return seconds < 0 ? 1 : seconds;
    },
  },
};

const completed = (reason: string, message: string) => [{ type: 'Completed', status: 'True', reason, message }];
const finishedRow: Readonly<Record<string, readonly object[]>> = {
  Succeeded: completed('Succeeded', 'The pod has completed successfully.'),
  Failed: completed('Failed', 'The pod failed.'),
};

const nameWarnings = (name: string): string[] => {
  const faults = dns1123LabelFaults(name);
  return faults.length
    ? [
        `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${faults.join(' ')}]`,
      ]
    : [];
};

type Status = NonNullable<Pod['status']>;

/** Of two forms of the address, the single one counts. */
function levelAddresses(status: Status): void {
  if (status.podIP && status.podIPs?.[0]?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  if (status.podIPs?.length) status.podIP = status.podIPs[0].ip;
}

/** Fields that a client leaves out keep their values. */
function tidyStatus(status: Status, old: Status): void {
  status.qosClass ||= old.qosClass;
  status.observedGeneration ||= old.observedGeneration;
  const generations = new Map<string, (number | undefined)[]>();
  for (const { type, observedGeneration } of old.conditions ?? [])
    generations.set(type, [...(generations.get(type) ?? []), observedGeneration]);
  for (const condition of status.conditions ?? []) {
    const before = generations.get(condition.type)?.shift();
    if (!condition.observedGeneration && before) condition.observedGeneration = before;
  }
}

/** Merges matchLabelKeys into the selectors, with this pod's values. */
function mergeLabelKeys(p: Pod): void {
  const labels = p.metadata.labels ?? {};
  const merge = (selector: LabelSelector, keys: readonly string[] | undefined, operator: 'In' | 'NotIn') => {
    for (const key of keys ?? [])
      if (key in labels) (selector.matchExpressions ??= []).push({ key, operator, values: [labels[key]] });
  };
  for (const constraint of specOf(p).topologySpreadConstraints ?? [])
    if (constraint.labelSelector) merge(constraint.labelSelector, constraint.matchLabelKeys, 'In');
  for (const affinity of [specOf(p).affinity?.podAffinity, specOf(p).affinity?.podAntiAffinity])
    for (const term of [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
    ]) {
      if (!term.labelSelector) continue;
      merge(term.labelSelector, term.matchLabelKeys, 'In');
      merge(term.labelSelector, term.mismatchLabelKeys, 'NotIn');
    }
}

/** Negative periods were once accepted and mean the shortest one. */
function levelGracePeriod(pod: Pod): void {
  if ((specOf(pod).terminationGracePeriodSeconds ?? 0) < 0) specOf(pod).terminationGracePeriodSeconds = 1;
}
