// A node: its system, its capacity, its taints, and its pods.

import { fieldsIn, listIn, textIn } from '../../../../machinery/parsed.ts';
import type { KubeObject } from '../../api/api.ts';
import { links } from '../../router.ts';
import { t } from '../../text.ts';
import { Part } from './part.tsx';

const shown = ['cpu', 'memory', 'pods', 'ephemeral-storage'];

export function NodePart({ object }: { object: KubeObject }) {
  const { addresses, nodeInfo, capacity, allocatable } = fieldsIn(object.status);
  const { unschedulable, taints } = fieldsIn(object.spec);
  const { osImage, kernelVersion, containerRuntimeVersion, kubeletVersion, architecture } = fieldsIn(nodeInfo);
  const amounts = fieldsIn(capacity);
  return (
    <Part title={t('node')}>
      <dl class="facts">
        <dt>{t('pods')}</dt>
        <dd>
          <a href={links.list('pods', { filter: `spec.nodeName=${object.metadata.name}` })}>{t('podsOfNode')}</a>
        </dd>
        <dt>{t('address')}</dt>
        <dd class="mono">
          {listIn(addresses)
            .map((item) => textIn(fieldsIn(item)['address']))
            .join(', ')}
        </dd>
        <dt>{t('system')}</dt>
        <dd>{[osImage, kernelVersion, architecture].map(textIn).filter(Boolean).join(' · ')}</dd>
        <dt>{t('software')}</dt>
        <dd>{[kubeletVersion, containerRuntimeVersion].map(textIn).filter(Boolean).join(' · ')}</dd>
        {shown
          .filter((name) => textIn(amounts[name]))
          .map((name) => (
            <Amount key={name} name={name} of={textIn(amounts[name])} free={textIn(fieldsIn(allocatable)[name])} />
          ))}
        <dt>{t('taints')}</dt>
        <dd>
          {unschedulable === true && <span class="chip">{t('cordoned')}</span>}
          {listIn(taints).map((item) => {
            const { key, value, effect } = fieldsIn(item);
            const text = `${textIn(key)}${textIn(value) && `=${textIn(value)}`}:${textIn(effect)}`;
            return (
              <span key={text} class="chip">
                {text}
              </span>
            );
          })}
          {unschedulable !== true && listIn(taints).length === 0 && <span class="muted">{t('none')}</span>}
        </dd>
      </dl>
    </Part>
  );
}

const Amount = ({ name, of, free }: { name: string; of: string; free: string }) => (
  <>
    <dt>{name}</dt>
    <dd>
      {of} <span class="muted">{t('allocatable', { amount: free })}</span>
    </dd>
  </>
);
