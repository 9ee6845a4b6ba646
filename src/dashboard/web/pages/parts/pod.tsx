// A pod: its node, its addresses, its containers.

import { fieldsIn, listIn, textIn } from '../../../../machinery/parsed.ts';
import type { KubeObject } from '../../api/api.ts';
import { toneOf } from '../../model/tone.ts';
import { links } from '../../router.ts';
import { t } from '../../text.ts';
import { Pill } from '../../ui/cells.tsx';
import { Part } from './part.tsx';

export function PodPart({ object }: { object: KubeObject }) {
  const { nodeName, serviceAccountName, priorityClassName } = fieldsIn(object.spec);
  const status = fieldsIn(object.status);
  const node = textIn(nodeName);
  return (
    <>
      <Part title={t('placement')}>
        <dl class="facts">
          <dt>{t('node')}</dt>
          <dd>
            {node ? <a href={links.object('nodes', '', node)}>{node}</a> : <span class="muted">{t('none')}</span>}
          </dd>
          <dt>{t('address')}</dt>
          <dd class="mono">{textIn(status['podIP']) || <span class="muted">{t('none')}</span>}</dd>
          <dt>{t('serviceAccount')}</dt>
          <dd>
            <a
              href={links.object(
                'serviceaccounts',
                object.metadata.namespace ?? '',
                textIn(serviceAccountName) || 'default',
              )}
            >
              {textIn(serviceAccountName) || 'default'}
            </a>
          </dd>
          <dt>{t('qos')}</dt>
          <dd>
            {textIn(status['qosClass'])} {textIn(priorityClassName)}
          </dd>
        </dl>
      </Part>
      <Containers object={object} />
    </>
  );
}

function Containers({ object }: { object: KubeObject }) {
  const spec = fieldsIn(object.spec);
  const status = fieldsIn(object.status);
  const groups = [
    ['initContainers', 'initContainerStatuses'],
    ['containers', 'containerStatuses'],
    ['ephemeralContainers', 'ephemeralContainerStatuses'],
  ] as const;
  const containers = groups.flatMap(([declared, reported]) =>
    listIn(spec[declared]).map((item) => {
      const name = textIn(fieldsIn(item)['name']);
      const found = listIn(status[reported]).find((one) => fieldsIn(one)['name'] === name);
      return {
        name,
        image: textIn(fieldsIn(item)['image']),
        isInit: declared === 'initContainers',
        state: fieldsIn(found),
      };
    }),
  );
  return (
    <Part title={t('containers')}>
      <table class="plain-table">
        <tbody>
          {containers.map(({ name, image, isInit, state }) => (
            <tr key={name}>
              <th scope="row">
                {name}
                {isInit && <span class="muted"> init</span>}
              </th>
              <td>
                <ContainerState state={state} />
              </td>
              <td class="mono">{image}</td>
              <td class="muted">
                {Number(state['restartCount'] ?? 0) > 0 && t('restarts', { count: Number(state['restartCount']) })}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function ContainerState({ state }: { state: Readonly<Record<string, unknown>> }) {
  const { waiting, running, terminated } = fieldsIn(state['state']);
  if (running)
    return (
      <Pill tone={state['ready'] === true ? 'ok' : 'busy'} text={state['ready'] === true ? 'Running' : 'NotReady'} />
    );
  const { reason, message, exitCode } = fieldsIn(terminated ?? waiting);
  const text = textIn(reason) || (terminated ? `Exit ${exitCode}` : 'Pending');
  return (
    <>
      <Pill tone={terminated && exitCode === 0 ? 'ok' : toneOf(text)} text={text} />
      {textIn(message) && <p class="muted">{textIn(message)}</p>}
      {terminated ? <p class="muted">{t('exitCode', { code: Number(exitCode) })}</p> : null}
    </>
  );
}
