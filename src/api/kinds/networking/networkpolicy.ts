import { cidrContains } from '../../../machinery/ip.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required } from '../../fields.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { cidrWarnings, legacyCidr, parseLegacyCidr, validatePortNumberOrName } from '../../validation/network.ts';
import { each, oneOfThese, set } from '../../validation/rules.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { selectorText } from '../cells.ts';

export const networkPolicy: KindBehaviour<NetworkPolicy> = {
  hasGeneration: true,
  emptyFields: 'counted',
  cells: { 'Pod-Selector': (p) => selectorText(p.spec?.podSelector) },
  strategy: {
    setDefaults(p) {
      const spec = (p.spec ??= {} as NonNullable<NetworkPolicy['spec']>);
      for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
        for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
      if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
    },
    warnings: (p) =>
      [...blocks(p)].flatMap(({ block, path }) => [
        ...cidrWarnings(`${path}.cidr`, block.cidr ?? ''),
        ...(block.except ?? []).flatMap((text, i) => cidrWarnings(`${path}.except[${i}]`, text)),
      ]),
    validate: (p) => validate(p),
    validateUpdate: (next, old) =>
      validate(next, new Set([...blocks(old)].flatMap(({ block }) => [block.cidr, ...(block.except ?? [])]))),
  },
};

/** The ranges of addresses of all rules. */
function* blocks({ spec }: NetworkPolicy) {
  for (const [side, rules] of [
    ['ingress', spec?.ingress],
    ['egress', spec?.egress],
  ] as const)
    for (const [i, rule] of (rules ?? []).entries()) {
      const peers = 'from' in rule ? rule.from : 'to' in rule ? rule.to : undefined;
      for (const [j, { ipBlock }] of (peers ?? []).entries())
        if (ipBlock)
          yield {
            block: ipBlock,
            path: `spec.${side}[${i}].${side === 'ingress' ? 'from' : 'to'}[${j}].ipBlock`,
          };
    }
}

/** `before`: ranges that the policy had, which may stay as they are. */
function validate(p: NetworkPolicy, before: ReadonlySet<string> = new Set()): FieldError[] {
  const { podSelector, ingress, egress, policyTypes = [] } = p.spec ?? {};
  return [
    ...validateLabelSelector(podSelector, 'spec.podSelector'),
    ...(ingress ?? []).flatMap(({ ports, from }, i) => validateRule(ports, from, `spec.ingress[${i}]`, 'from', before)),
    ...(egress ?? []).flatMap(({ ports, to }, i) => validateRule(ports, to, `spec.egress[${i}]`, 'to', before)),
    ...(policyTypes.length > directions.length
      ? [invalidValue('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes')]
      : each(oneOfThese(...directions))(policyTypes, 'spec.policyTypes')),
  ];
}

const directions = ['Ingress', 'Egress'];

function validateRule(
  ports: readonly NetworkPolicyPort[] | undefined,
  peers: readonly NetworkPolicyPeer[] | undefined,
  path: string,
  side: 'from' | 'to',
  before: ReadonlySet<string>,
): FieldError[] {
  return [
    ...(ports ?? []).flatMap((port, i) => validatePort(port, `${path}.ports[${i}]`)),
    ...(peers ?? []).flatMap((peer, i) => validatePeer(peer, `${path}.${side}[${i}]`, before)),
  ];
}

const protocol = set(oneOfThese('TCP', 'UDP', 'SCTP'));

function validatePort(value: NetworkPolicyPort, path: string): FieldError[] {
  const { port, endPort } = value;
  const at = `${path}.endPort`;
  const errors = [...protocol(value.protocol, `${path}.protocol`)];
  if (port === undefined) {
    const why = 'may not be specified when `port` is not specified';
    return endPort === undefined ? errors : [...errors, invalidValue(at, endPort, why)];
  }
  if (typeof port === 'string') {
    if (endPort !== undefined)
      errors.push(invalidValue(at, endPort, 'may not be specified when `port` is non-numeric'));
    return [...errors, ...validatePortNumberOrName(`${path}.port`, port)];
  }
  errors.push(...validatePortNumberOrName(`${path}.port`, port));
  if (endPort === undefined) return errors;
  if (endPort < port) errors.push(invalidValue(at, port, 'must be greater than or equal to `port`'));
  return [...errors, ...validatePortNumberOrName(at, endPort)];
}

function validatePeer(peer: NetworkPolicyPeer, path: string, before: ReadonlySet<string>): FieldError[] {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  const selectors = [podSelector, namespaceSelector].filter(Boolean).length;
  const errors = [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? validateBlock(ipBlock, `${path}.ipBlock`, before) : []),
  ];
  if (!ipBlock && !selectors) errors.push(required(path, 'must specify a peer'));
  if (ipBlock && selectors) errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  return errors;
}

function validateBlock(block: IPBlock, path: string, before: ReadonlySet<string>): FieldError[] {
  if (!block.cidr) return [required(`${path}.cidr`)];
  const errors = legacyCidr(`${path}.cidr`, block.cidr, before);
  const outer = parseLegacyCidr(block.cidr);
  if (!outer) return errors;
  for (const [index, text] of (block.except ?? []).entries()) {
    const at = `${path}.except[${index}]`;
    errors.push(...legacyCidr(at, text, before));
    const inner = parseLegacyCidr(text);
    if (!inner) continue;
    const { family, base, prefix } = inner;
    if (!cidrContains(outer, { family, value: base }) || outer.prefix >= prefix)
      errors.push(invalidValue(at, text, 'must be a strict subset of `cidr`'));
  }
  return errors;
}
