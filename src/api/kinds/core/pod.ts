import { canonicalQuantity } from '../../../machinery/quantity.ts';
import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import { defaultHostPorts, defaultPodSpec } from '../../defaults/pod-spec.ts';
import type { Pod } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { isSchedulingGated, podRequests, qosClass, type ResourceList } from '../../pod.ts';
import { specOf } from '../../spec-of.ts';
import { formatTime } from '../../time.ts';
import { dropDisabledFields } from '../../validation/pod/disabled.ts';
import { validateNewPod } from '../../validation/pod/pod.ts';
import { keepAllButResources, validatePodResize } from '../../validation/pod/resize.ts';
import { validateEphemeralUpdate, validatePodStatusUpdate } from '../../validation/pod/subresources.ts';
import { validatePodUpdate } from '../../validation/pod/update.ts';
import { podWarnings } from '../../validation/pod/warnings.ts';
import { podCells } from './pod-cells.ts';

export const pod: KindBehaviour<Pod> = {
  watchedBy: 'spec.nodeName',
  literalFields: ['spec.nodeName'],
  answersDeleted: true,
  hasGeneration: true,
  cells: podCells,
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
      defaultRequests(p);
    },
    prepareForCreate(p, { now }) {
      dropDisabledFields(p.spec);
      // Negative periods were once accepted and mean the shortest one.
      if ((specOf(p).terminationGracePeriodSeconds ?? 0) < 0) specOf(p).terminationGracePeriodSeconds = 1;
      p.status = { phase: 'Pending', qosClass: qosClass(specOf(p)) };
      if (isSchedulingGated(p))
        p.status.conditions = [
          {
            type: 'PodScheduled',
            status: 'False',
            lastProbeTime: null as any,
            lastTransitionTime: formatTime(now),
            reason: 'SchedulingGated',
            message: 'Scheduling is blocked due to non-empty scheduling gates',
          },
        ];
      mergeLabelKeys(p);
    },
    prepareForUpdate(next, old) {
      dropDisabledFields(next.spec, old.spec);
      // Admission computed these on create.
      specOf(next).priority ??= old.spec?.priority;
      specOf(next).preemptionPolicy ??= old.spec?.preemptionPolicy;
    },
    validate: validateNewPod,
    metadataOnUpdate: ['change', 'whole'],
    validateUpdate: validatePodUpdate,
    warnings: (p, old) => (old ? [] : [...nameWarnings(p.metadata.name), ...podWarnings(p.spec, p.metadata)]),
    subresources: {
      status: {
        validateUpdate: validatePodStatusUpdate,
        prepareForUpdate(next, old) {
          // Only the system sets a pod's owners and deletion.
          next.metadata.ownerReferences = old.metadata.ownerReferences;
          if (next.status) next.status.qosClass = old.status?.qosClass ?? next.status.qosClass;
        },
      },
      ephemeralcontainers: {
        prepareForUpdate(next, old) {
          const { ephemeralContainers: _before, ...spec } = specOf(old);
          const ephemeralContainers = next.spec?.ephemeralContainers;
          next.spec = { ...spec, ...(ephemeralContainers?.length && { ephemeralContainers }) };
          if (old.status) next.status = old.status;
        },
        validateUpdate: validateEphemeralUpdate,
      },
      resize: {
        prepareForUpdate: keepAllButResources,
        validateUpdate: validatePodResize,
      },
    },
    gracePeriodSeconds(p, requested) {
      // A pod that never ran, or has ended, needs no grace period.
      if (!p.spec?.nodeName || p.status?.phase === 'Failed' || p.status?.phase === 'Succeeded') return 0;
      const seconds = requested ?? p.spec.terminationGracePeriodSeconds ?? 30;
      return seconds < 0 ? 1 : seconds;
    },
  },
};

const nameWarnings = (name: string): string[] => {
  const faults = dns1123LabelFaults(name);
  return faults.length
    ? [
        `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${faults.join(' ')}]`,
      ]
    : [];
};

/** A limit without a request becomes the request. */
function defaultRequests(p: Pod): void {
  defaultPodLevelRequests(p);
  for (const container of [...(specOf(p).containers ?? []), ...(specOf(p).initContainers ?? [])]) {
    const resources = container.resources as { limits?: ResourceList; requests?: ResourceList } | undefined;
    if (!resources) continue;
    for (const [name, quantity] of Object.entries(resources.limits ?? {})) {
      resources.requests ??= {};
      resources.requests[name] ??= canonicalQuantity(quantity);
    }
  }
}

const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** A pod-level limit is also the request, unless the containers have requests. */
function defaultPodLevelRequests(p: Pod): void {
  const resources = (p.spec as { resources?: { limits?: ResourceList; requests?: ResourceList } }).resources;
  if (!resources?.limits) return;
  const asked = podRequests({ spec: { ...specOf(p), resources: undefined, overhead: undefined } as any });
  for (const [name, quantity] of Object.entries(resources.limits)) {
    if (resources.requests?.[name] !== undefined || !isPodLevel(name)) continue;
    resources.requests ??= {};
    resources.requests[name] = asked[name] ?? canonicalQuantity(quantity);
  }
}

/** Merges matchLabelKeys into the selectors, with this pod's values. */
function mergeLabelKeys(p: Pod): void {
  const labels = p.metadata.labels ?? {};
  const merge = (selector: any, keys: readonly string[] | undefined, operator: 'In' | 'NotIn') => {
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
