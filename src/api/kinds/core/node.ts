import { parseCidr } from '../../../machinery/ip.ts';
import { qualifiedNameFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, sameValue } from '../../fields.ts';
import type { Node } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const node: KindBehaviour<Node> = {
  cells: {
    Status: (n) => {
      const ready = n.status?.conditions?.find(({ type }) => type === 'Ready');
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
    'Kernel-Version': (n) => n.status?.nodeInfo?.kernelVersion || '<unknown>',
    'Container-Runtime': (n) => n.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  },
  selectableFields: {
    'spec.unschedulable': (n) => String(n.spec?.unschedulable ?? false),
  },
  strategy: {
    allowCreateOnUpdate: false,
    keepsStatusOnCreate: true,
    setDefaults(n) {
      if (n.spec?.podCIDR && !n.spec.podCIDRs?.length) n.spec.podCIDRs = [n.spec.podCIDR];
      if (n.spec?.podCIDRs?.length) n.spec.podCIDR = n.spec.podCIDRs[0];
      if (n.status?.capacity) n.status.allocatable ??= { ...n.status.capacity };
    },
    prepareForCreate(n) {
      // A new node takes no pods before its kubelet has said that it is ready.
      const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;
      const taints = ((n.spec ??= {}).taints ??= []);
      if (!taints.some(({ key, effect }) => key === taint.key && effect === taint.effect)) taints.push(taint);
    },
    validate: (n) => [...validateTaints(n), ...validateCidrs(n)],
    validateUpdate: (next, old) => immutableFields(next, old),
  },
};

const address = (n: Node, type: string) =>
  n.status?.addresses?.find((candidate) => candidate.type === type)?.address ?? none;

function validateTaints(n: Node): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, taint] of (n.spec?.taints ?? []).entries()) {
    const path = `metadata.taints[${index}]`;
    errors.push(...invalidValues(`${path}.key`, taint.key, qualifiedNameFaults(taint.key ?? '')));
    if (!['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(taint.effect))
      errors.push(
        taint.effect
          ? {
              type: 'FieldValueNotSupported',
              field: `${path}.effect`,
              message: `Unsupported value: ${JSON.stringify(taint.effect)}: supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`,
            }
          : { type: 'FieldValueRequired', field: `${path}.effect`, message: 'Required value' },
      );
    const key = `${taint.key}:${taint.effect}`;
    if (seen.has(key)) {
      const shown = {
        Key: taint.key,
        Value: taint.value ?? '',
        Effect: taint.effect,
        TimeAdded: taint.timeAdded ?? null,
      };
      const found = duplicate(path, shown);
      errors.push({ ...found, message: `${found.message}: taints must be unique by key and effect pair` });
    }
    seen.add(key);
  }
  return errors;
}

function validateCidrs(n: Node): FieldError[] {
  const cidrs = n.spec?.podCIDRs ?? [];
  const errors = cidrs.flatMap((cidr, index) =>
    parseCidr(cidr)
      ? []
      : [
          invalidValue(
            `spec.podCIDRs[${index}]`,
            cidr,
            'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
          ),
        ],
  );
  const families = cidrs.map((cidr) => parseCidr(cidr)?.family);
  if (cidrs.length > 2 || (cidrs.length === 2 && families[0] === families[1]))
    errors.push(invalidValue('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'));
  return errors;
}

function immutableFields(next: Node, old: Node): FieldError[] {
  const errors: FieldError[] = [];
  if (old.spec?.podCIDRs?.length && !sameValue(next.spec?.podCIDRs, old.spec.podCIDRs))
    errors.push(forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  if (old.spec?.providerID && next.spec?.providerID !== old.spec.providerID)
    errors.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  return errors;
}
