// Values of the options that describe this machine's nodes: name, labels, taints.

import { isKubeletLabel } from '../../api/objects/kubelet-labels.ts';
import { validateLabels } from '../../api/validation/metadata.ts';
import { validateTolerations } from '../../api/validation/pod/tolerations.ts';
import { SettingError } from './setting-values.ts';

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
    if (!isKubeletLabel(key))
      throw new SettingError(`a node cannot give itself the label ${key}: set it with "kubectl label node".`);
    labels[key] = value;
  }
  return labels;
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
