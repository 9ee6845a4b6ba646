// Warnings for labels of nodes that have newer names.

import { labelValueFaults } from '../../machinery/text/names.ts';
import type { LabelSelector, NodeSelectorTerm } from '../generated/types.ts';

const deprecated: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

/** Undefined for labels that are fine. */
export const nodeLabelWarning = (key: string): string | undefined =>
  Object.hasOwn(deprecated, key) ? deprecated[key] : undefined;

/** `checkValues`: reports values that are invalid as labels too. */
export function nodeTermWarnings(term: NodeSelectorTerm | undefined, checkValues: boolean, path: string): string[] {
  return (term?.matchExpressions ?? []).flatMap(({ key, values = [] }, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const warning = nodeLabelWarning(key);
    return [
      ...(warning ? [`${at}.key: ${key} is ${warning}`] : []),
      ...(checkValues
        ? values.flatMap((value, i) =>
            labelValueFaults(value).map((fault) => `${at}.values[${i}]: ${value} is invalid, ${fault}`),
          )
        : []),
    ];
  });
}

export function nodeSelectorWarnings(selector: LabelSelector | undefined, path: string): string[] {
  return [
    ...(selector?.matchExpressions ?? []).flatMap(({ key }, index) => {
      const warning = nodeLabelWarning(key);
      return warning ? [`${path}.matchExpressions[${index}].key: ${key} is ${warning}`] : [];
    }),
    ...Object.keys(selector?.matchLabels ?? {}).flatMap((key) => {
      const warning = nodeLabelWarning(key);
      return warning ? [`${path}.matchLabels.${key}: ${warning}`] : [];
    }),
  ];
}
