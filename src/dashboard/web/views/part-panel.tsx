// The numbers of one part: health, busiest requests, objects, queues, leader.

import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, request } from '../api/api.ts';
import type { Activity } from '../model/metrics.ts';
import { t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import { Icon } from '../ui/icons.tsx';
import { rate } from './numbers.tsx';

export type PartName = 'apiserver' | 'store' | 'scheduler' | 'controllers';

interface Props {
  readonly name: PartName;
  readonly activity: Activity | undefined;
  onClose(): void;
}

export function PartPanel({ name, activity, onClose }: Props) {
  return (
    <aside class="part-panel" aria-label={t(`part.${name}`)}>
      <header>
        <h2>{t(`part.${name}`)}</h2>
        <button type="button" class="quiet" aria-label={t('close')} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {name === 'apiserver' && <Health />}
      {name === 'apiserver' && activity && <Busiest activity={activity} />}
      {name === 'store' && activity && <Objects activity={activity} />}
      {name === 'scheduler' && <Leader lease="kube-scheduler" />}
      {name === 'controllers' && <Leader lease="kube-controller-manager" />}
      {name === 'controllers' && activity && <Queues activity={activity} />}
    </aside>
  );
}

const Section = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <section>
    <h3>{title}</h3>
    {children}
  </section>
);

/** The checks of /readyz that fail; all others are counted. */
function Health() {
  const text = useSignal<string | undefined>(undefined);
  useEffect(() => {
    request('/readyz', { query: { verbose: '' }, accept: 'text/plain' })
      .then((response) => response.text())
      .catch((error) => String(error?.message ?? error))
      .then((found) => (text.value = found));
  }, [text]);
  if (text.value === undefined) return null;
  const lines = text.value.split('\n');
  const failed = lines.filter((line) => line.startsWith('[-]'));
  const passed = lines.filter((line) => line.startsWith('[+]')).length;
  return (
    <Section title={t('health')}>
      <Pill tone={failed.length > 0 ? 'bad' : 'ok'} text={t('checks', { passed, total: passed + failed.length })} />
      {failed.map((line) => (
        <p key={line} class="mono">
          {line.slice(3)}
        </p>
      ))}
    </Section>
  );
}

const Busiest = ({ activity: { busiest, inFlight } }: { activity: Activity }) => (
  <Section title={t('busiest')}>
    <p class="muted small">{t('inFlight', { count: inFlight })}</p>
    <table class="plain-table">
      <tbody>
        {busiest.map(({ verb, resource, perSecond, errorsPerSecond }) => (
          <tr key={`${verb} ${resource}`}>
            <th scope="row">{verb}</th>
            <td>{resource || '–'}</td>
            <td class="number">{rate(perSecond)}/s</td>
            <td class="number">{errorsPerSecond > 0 && <span class="pill bad">{rate(errorsPerSecond)}/s</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Section>
);

const mostObjects = 30;

const Objects = ({ activity: { objects } }: { activity: Activity }) => (
  <Section title={t('storedObjects')}>
    <table class="plain-table">
      <tbody>
        {objects.slice(0, mostObjects).map(({ resource, count }) => (
          <tr key={resource}>
            <th scope="row">{resource}</th>
            <td class="number">{count}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Section>
);

const Queues = ({ activity: { queues } }: { activity: Activity }) => (
  <Section title={t('queues')}>
    <table class="plain-table">
      <thead>
        <tr>
          <th scope="col">{t('queue')}</th>
          <th scope="col" class="number">
            {t('metric.queued')}
          </th>
          <th scope="col" class="number">
            {t('metric.work')}
          </th>
        </tr>
      </thead>
      <tbody>
        {queues.map(({ name, depth, addsPerSecond }) => (
          <tr key={name}>
            <td>{name}</td>
            <td class="number">{depth}</td>
            <td class="number">{rate(addsPerSecond)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Section>
);

/** Without a lease there is one server, which leads. */
function Leader({ lease }: { lease: string }) {
  const holder = useSignal<string | undefined>(undefined);
  useEffect(() => {
    getJson(`/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${lease}`)
      .then((found) => textIn(fieldsIn(fieldsIn(found)['spec'])['holderIdentity']))
      .catch(() => '')
      .then((found) => (holder.value = found));
  }, [lease, holder]);
  if (holder.value === undefined) return null;
  return <Section title={t('leader')}>{holder.value || t('onlyServer')}</Section>;
}
