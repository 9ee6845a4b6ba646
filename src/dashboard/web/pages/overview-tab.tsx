// An object in the parts that every kind has, and the richer parts of a few kinds.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { humanDuration } from '../../../machinery/time/duration.ts';
import type { KubeObject } from '../api/api.ts';
import { kindOfObject } from '../api/catalog.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { toneOf } from '../model/tone.ts';
import { links } from '../router.ts';
import { t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import { useNow } from '../ui/now.ts';
import { DataPart } from './parts/data.tsx';
import { NodePart } from './parts/node.tsx';
import { OwnedPart } from './parts/owned.tsx';
import { Part } from './parts/part.tsx';
import { PodPart } from './parts/pod.tsx';
import { ScalePart } from './parts/scale.tsx';

export function OverviewTab({ kind, object }: { kind: Kind; object: KubeObject }) {
  const id = kindId(kind);
  return (
    <div class="overview">
      {id === 'pods' && <PodPart object={object} />}
      {id === 'nodes' && <NodePart object={object} />}
      {(id === 'configmaps' || id === 'secrets') && <DataPart object={object} isSecret={id === 'secrets'} />}
      <ScalePart object={object} />
      <Conditions object={object} />
      <OwnedPart kind={kind} object={object} />
      <Facts object={object} />
    </div>
  );
}

function Facts({ object: { metadata } }: { object: KubeObject }) {
  const { labels = {}, annotations = {}, ownerReferences = [], namespace = '', uid, creationTimestamp } = metadata;
  return (
    <Part title={t('details')}>
      <dl class="facts">
        {ownerReferences.length > 0 && (
          <>
            <dt>{t('owners')}</dt>
            <dd>
              {ownerReferences.map(({ apiVersion, kind, name, uid: key }) => (
                <OwnerLink key={key} {...{ apiVersion, kind, name, namespace }} />
              ))}
            </dd>
          </>
        )}
        <dt>{t('labels')}</dt>
        <dd>
          <Pairs pairs={labels} />
        </dd>
        <dt>{t('annotations')}</dt>
        <dd>
          <Pairs pairs={annotations} />
        </dd>
        <dt>{t('created')}</dt>
        <dd>{creationTimestamp}</dd>
        <dt>{t('uid')}</dt>
        <dd class="mono">{uid}</dd>
      </dl>
    </Part>
  );
}

interface OwnerProps {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

function OwnerLink({ apiVersion, kind, name, namespace }: OwnerProps) {
  const found = kindOfObject(apiVersion, kind);
  const text = `${kind} ${name}`;
  if (!found) return <span>{text}</span>;
  return <a href={links.object(kindId(found), found.isNamespaced ? namespace : '', name)}>{text}</a>;
}

function Pairs({ pairs }: { pairs: Readonly<Record<string, string>> }) {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return <span class="muted">{t('none')}</span>;
  return (
    <ul class="pairs">
      {entries.map(([name, value]) => (
        <li key={name} title={`${name}=${value}`}>
          <span class="pair-name">{name}</span>
          <span class="pair-value">{value}</span>
        </li>
      ))}
    </ul>
  );
}

/** Some conditions are good when they are true, others (DiskPressure, Failed) when they are not. */
const isBadWhenTrue = (type: string): boolean =>
  /Pressure$|Unavailable$|^(Failed|FailureTarget|ReplicaFailure|Stalled|Degraded)|Failed$|Failure$/.test(type);

function Conditions({ object }: { object: KubeObject }) {
  const nowMs = useNow(10_000);
  const conditions = listIn(fieldsIn(object.status)['conditions']).map(fieldsIn);
  if (conditions.length === 0) return null;
  return (
    <Part title={t('conditions')}>
      <table class="plain-table">
        <tbody>
          {conditions.map((condition) => {
            const [type, status] = [textIn(condition['type']), textIn(condition['status'])];
            const isGood = (status === 'True') !== isBadWhenTrue(type);
            const time = Date.parse(textIn(condition['lastTransitionTime']));
            return (
              <tr key={type}>
                <th scope="row">{type}</th>
                <td>
                  <Pill tone={status === 'Unknown' ? toneOf('Pending') : isGood ? 'ok' : 'bad'} text={status} />
                </td>
                <td>
                  {textIn(condition['reason'])}
                  {textIn(condition['message']) && <p class="muted">{textIn(condition['message'])}</p>}
                </td>
                <td class="muted">{Number.isNaN(time) ? '' : humanDuration(nowMs - time)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Part>
  );
}
