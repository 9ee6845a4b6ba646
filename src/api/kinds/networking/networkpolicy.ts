import { cidrContains, parseCidr } from '../../../machinery/ip.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, oneOf, required } from '../../fields.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateCidr, validatePortNumberOrName } from '../../validation/network.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { selectorText } from '../cells.ts';

export const networkPolicy: KindBehaviour<NetworkPolicy> = {
  hasGeneration: true,
  cells: { 'Pod-Selector': (p) => selectorText(p.spec?.podSelector) },
  strategy: {
    setDefaults(p) {
      const spec = (p.spec ??= {} as NonNullable<NetworkPolicy['spec']>);
      for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
        for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
      if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
    },
    validate(p) {
      const { podSelector, ingress = [], egress = [], policyTypes = [] } = p.spec ?? {};
      return [
        ...validateLabelSelector(podSelector, 'spec.podSelector'),
        ...ingress.flatMap((rule, i) => validateRule(rule.ports, rule.from, `spec.ingress[${i}]`, 'from')),
        ...egress.flatMap((rule, i) => validateRule(rule.ports, rule.to, `spec.egress[${i}]`, 'to')),
        ...policyTypes.flatMap((type, i) => oneOf(`spec.policyTypes[${i}]`, type, ['Egress', 'Ingress'])),
      ];
    },
  },
};

function validateRule(
  ports: readonly NetworkPolicyPort[] = [],
  peers: readonly NetworkPolicyPeer[] = [],
  path: string,
  side: 'from' | 'to',
): FieldError[] {
  return [
    ...ports.flatMap((port, i) => validatePort(port, `${path}.ports[${i}]`)),
    ...peers.flatMap((peer, i) => validatePeer(peer, `${path}.${side}[${i}]`)),
  ];
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const errors = oneOf(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']);
  if (port !== undefined) errors.push(...validatePortNumberOrName(`${path}.port`, port));
  if (endPort === undefined) return errors;
  const at = `${path}.endPort`;
  if (port === undefined) errors.push(required(`${path}.port`, 'must be specified when `endPort` is specified'));
  else if (typeof port === 'string')
    errors.push(invalidValue(at, endPort, 'may not be specified when `port` is non-numeric'));
  else {
    if (endPort < port) errors.push(invalidValue(at, port, 'must be greater than or equal to `port`'));
    if (endPort < 1 || endPort > 65535)
      errors.push(invalidValue(at, endPort, 'must be between 1 and 65535, inclusive'));
  }
  return errors;
}

function validatePeer({ ipBlock, podSelector, namespaceSelector }: NetworkPolicyPeer, path: string): FieldError[] {
  const errors = [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
  ];
  if (!ipBlock) return podSelector || namespaceSelector ? errors : [...errors, required(path, 'must specify a peer')];
  if (podSelector || namespaceSelector)
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  const at = `${path}.ipBlock`;
  if (!ipBlock.cidr) return [...errors, required(`${at}.cidr`)];
  errors.push(...validateCidr(`${at}.cidr`, ipBlock.cidr));
  const outer = parseCidr(ipBlock.cidr);
  for (const [index, text] of (ipBlock.except ?? []).entries()) {
    const inner = parseCidr(text);
    errors.push(...validateCidr(`${at}.except[${index}]`, text));
    if (
      outer &&
      inner &&
      !(cidrContains(outer, { family: inner.family, value: inner.base }) && inner.prefix > outer.prefix)
    )
      errors.push(invalidValue(`${at}.except[${index}]`, text, `must be a strict subset of \`cidr\``));
  }
  return errors;
}
