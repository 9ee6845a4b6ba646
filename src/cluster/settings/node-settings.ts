// Values of the options that describe this machine's nodes: name, labels, taints.

import { validateLabels } from '../../api/validation/metadata.ts';
import { validateTolerations } from '../../api/validation/pod/tolerations.ts';
import { SettingError } from './setting-values.ts';

/** Labels of Kubernetes' own domains that a node may give itself. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
]);
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

export interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: (typeof effects)[number];
}

export function nodeName(text: string): string {
  if (text.length <= 63 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text) && !/\.\.|\.-|-\./.test(text)) return text;
  throw new SettingError('Give a name in lower case, such as worker-1, of up to 63 letters, digits, dashes and dots.');
}

const items = (text: string): string[] => text.split(',').map((part) => part.trim());

/** In the format of the kubelet's --node-labels. */
export function nodeLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const item of items(text)) {
    const [key, value = '', more] = item.split('=');
    const [fault] = more === undefined ? validateLabels({ [key]: value }, '--node-labels') : [];
    if (more !== undefined || fault) throw new SettingError(`"${item}" is no label. Give key=value, such as disk=ssd.`);
    if (isForbidden(key))
      throw new SettingError(`a node cannot give itself the label ${key}: set it with "kubectl label node".`);
    labels[key] = value;
  }
  return labels;
}

function isForbidden(key: string): boolean {
  const domain = key.includes('/') ? key.split('/')[0] : '';
  const within = (of: string) => domain === of || domain.endsWith(`.${of}`);
  if (!within('kubernetes.io') && !within('k8s.io')) return false;
  return !ownLabels.has(key) && !within('kubelet.kubernetes.io') && !within('node.kubernetes.io');
}

/** In the format of the kubelet's --register-with-taints. */
export function nodeTaints(text: string): readonly NodeTaint[] {
  return items(text).map((item) => {
    const [, key = '', value, name] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(item) ?? [];
    const effect = effects.find((one) => one === name);
    const operator = 'Exists';
    const isKey = key !== '' && validateTolerations([{ key, operator }], '--node-taints').length === 0;
    if (!effect || !isKey)
      throw new SettingError(`"${item}" is no taint. Give key=value:effect, with an effect of ${effects.join(', ')}.`);
    return { key, ...(value && { value }), effect };
  });
}

export const taintText = ({ key, value, effect }: NodeTaint): string => `${key}${value ? `=${value}` : ''}:${effect}`;
