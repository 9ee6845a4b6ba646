import { parseCidr } from '../../../machinery/ip.ts';
import { labelValueFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { Node } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { conditionOf } from '../../objects/conditions.ts';
import { cidrWarnings, legacyCidr } from '../../validation/network.ts';
import { validateAmount } from '../../validation/resource-names.ts';
import { none } from '../cells.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const node: KindBehaviour<Node> = {
  connections: { proxy: { type: 'NodeProxyOptions', fields: { path: 'path' } } },
  storagePrefix: 'minions', // its name of old
  cells: {
    Status: (n) => {
      const ready = conditionOf(n, 'Ready');
      const status = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
      return n.spec?.unschedulable ? `${status},SchedulingDisabled` : status;
    },
    Roles: (n) => {
      const roles = Object.entries(n.metadata.labels ?? {}).flatMap(([key, value]) =>
        key.startsWith(rolePrefix) && key.length > rolePrefix.length
          ? [key.slice(rolePrefix.length)]
          : key === 'kubernetes.io/role' && value
            ? [value]
            : [],
      );
      return [...new Set(roles)].sort().join(',') || none;
    },
    Version: (n) => n.status?.nodeInfo?.kubeletVersion ?? '',
    'Internal-IP': (n) => address(n, 'InternalIP'),
    'External-IP': (n) => address(n, 'ExternalIP'),
    'OS-Image': (n) => n.status?.nodeInfo?.osImage || '<unknown>',
    'Kernel-Version': (n) => {
      const { kernelVersion, architecture } = n.status?.nodeInfo ?? {};
      return `${kernelVersion || '<unknown>'}${architecture ? ` (${architecture})` : ''}`;
    },
    'Container-Runtime': (n) => n.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  },
  selectableFields: {
    'spec.unschedulable': (n) => String(n.spec?.unschedulable ?? false),
  },
  strategy: {
    allowCreateOnUpdate: false,
    keepsStatusOnCreate: true,
    setDefaults(n) {
      // Of two that differ, the older field counts.
      if (n.spec?.podCIDR && n.spec.podCIDRs?.[0] !== n.spec.podCIDR) n.spec.podCIDRs = [n.spec.podCIDR];
      if (n.spec?.podCIDRs?.length) n.spec.podCIDR = n.spec.podCIDRs[0];
      if (n.status?.capacity) n.status.allocatable ??= { ...n.status.capacity };
    },
    prepareForCreate(n) {
      delete n.spec?.configSource;
      delete n.status?.config;
    },
    prepareForUpdate(next, old) {
      if (!old.spec?.configSource) delete next.spec?.configSource;
    },
    validate,
    // Kubernetes also applies the rules for new nodes to updates, and lists some faults twice.
    metadataOnUpdate: ['whole', 'change'],
    validateUpdate: (next, old) => [...validate(next), ...validateUpdate(next, old)],
    subresources: {
      status: {
        prepareForUpdate(next, old) {
          if (!old.status?.config) delete next.status?.config;
        },
        validateUpdate,
      },
    },
    warnings: ({ spec }) => [
      ...(spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
      ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
      ...(spec?.podCIDRs ?? []).flatMap((cidr, index) => cidrWarnings(`spec.podCIDRs[${index}]`, cidr)),
    ],
  },
};

const address = (n: Node, type: string) =>
  n.status?.addresses?.find((candidate) => candidate.type === type)?.address ?? none;

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTaints(n: Node): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, taint] of (n.spec?.taints ?? []).entries()) {
    const path = `metadata.taints[${index}]`;
    const { key = '', value = '', effect = '' as string } = taint;
    errors.push(...invalidValues(`${path}.key`, key, qualifiedNameFaults(key)));
    const faults = labelValueFaults(value);
    if (faults.length) errors.push(invalidValue(`${path}.value`, value, faults.join(';')));
    if (!effect) errors.push(required(`${path}.effect`));
    else if (!effects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, effects));
    if (seen.has(`${key}:${effect}`)) {
      const found = duplicate(path, internal('core.Taint', taint));
      errors.push({ ...found, message: `${found.message}: taints must be unique by key and effect pair` });
    }
    seen.add(`${key}:${effect}`);
  }
  return errors;
}

/** Kubernetes gives these paths without brackets. */
const validateResources = (n: Node): FieldError[] =>
  (['capacity', 'allocatable'] as const).flatMap((list) =>
    Object.entries((n.status?.[list] ?? {}) as Record<string, string>).flatMap(([name, quantity]) =>
      validateAmount(name, quantity, `status.${list}.${name}`),
    ),
  );

const featureName = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;
const maxFeatureName = 253;

function validateFeatures(n: Node): FieldError[] {
  const features = (n.status as { declaredFeatures?: string[] } | undefined)?.declaredFeatures ?? [];
  return features.flatMap((feature, index) => {
    const at = (i: number) => `status.declaredFeatures[${i}]`;
    const quoted = `invalid feature name ${JSON.stringify(feature)}`;
    const next = features[index + 1];
    return [
      ...(feature.length > maxFeatureName
        ? [invalidValue(at(index), feature, `${quoted}: must be no more than ${maxFeatureName} characters`)]
        : featureName.test(feature)
          ? []
          : [
              invalidValue(
                at(index),
                feature,
                `${quoted}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`,
              ),
            ]),
      ...(next === undefined || feature < next
        ? []
        : feature === next
          ? [duplicate(at(index + 1), next)]
          : [invalidValue(at(index + 1), next, 'list must be sorted alphabetically')]),
    ];
  });
}

function validateCidrs(n: Node): FieldError[] {
  const cidrs = n.spec?.podCIDRs ?? [];
  const errors = cidrs.flatMap((cidr, index) => legacyCidr(`spec.podCIDRs[${index}]`, cidr));
  const families = cidrs.map((cidr) => parseCidr(cidr)?.family);
  if (cidrs.length > 2 || (cidrs.length === 2 && families[0] === families[1]))
    errors.push(invalidValue('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'));
  return errors;
}

function validateSwap(n: Node): FieldError[] {
  const capacity = n.status?.nodeInfo?.swap?.capacity;
  return capacity !== undefined && capacity <= 0
    ? [invalidValue('metadata.nodeSwapStatus.capacity', capacity, 'must be greater than zero')]
    : [];
}

function validate(n: Node): FieldError[] {
  return [
    ...validateTaints(n),
    ...validateResources(n),
    ...validateSwap(n),
    ...validateFeatures(n),
    ...validateCidrs(n),
  ];
}

function validateUpdate(next: Node, old: Node): FieldError[] {
  const errors: FieldError[] = [...validateResources(next), ...validateFeatures(next)];
  const seen = new Set<string>();
  for (const [index, { type, address: host }] of (next.status?.addresses ?? []).entries()) {
    const key = `${type}/${host}`;
    if (seen.has(key)) errors.push(duplicate(`status.addresses[${index}]`, { Type: type, Address: host }));
    seen.add(key);
  }
  return [...errors, ...immutableFields(next, old), ...validateTaints(next)];
}

function immutableFields(next: Node, old: Node): FieldError[] {
  const errors: FieldError[] = [];
  const [now, was] = [next.spec?.podCIDRs ?? [], old.spec?.podCIDRs ?? []];
  const fault = forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  if (was.length && now.length !== was.length) errors.push(fault);
  else errors.push(...was.filter((cidr, index) => cidr !== now[index]).map(() => fault));
  if (old.spec?.providerID && next.spec?.providerID !== old.spec.providerID)
    errors.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  if ((next.spec?.externalID ?? '') !== (old.spec?.externalID ?? ''))
    errors.push(forbiddenField('spec.externalID', 'may not be updated'));
  return errors;
}
