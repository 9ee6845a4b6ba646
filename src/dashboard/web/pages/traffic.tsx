// The internet's view: for each service, the path of a connection from a user to a pod, and the rule that stops it.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight } from '../api/api.ts';
import type { OpenFeed } from '../feeds/client.ts';
import { type PortPath, portPaths } from '../model/trace.ts';
import { moment } from '../past/moment.ts';
import { links, query, setQuery } from '../router.ts';
import { namespace } from '../settings.ts';
import { after } from '../system.ts';
import { t } from '../text.ts';
import { useFeed } from '../ui/feed-hooks.ts';
import { PortPicture } from '../views/port-picture.tsx';

export function TrafficPage({ place, name }: { place: string | undefined; name: string | undefined }) {
  const services = useFeed({
    path: namespace.value ? `/api/v1/namespaces/${encodeURIComponent(namespace.value)}/services` : '/api/v1/services',
    as: 'table',
  });
  void services?.version.value;
  const rows = [...(services?.rows.values() ?? [])].sort((a, b) =>
    `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
  );
  const [first] = rows;
  const [shownPlace, shownName] = name ? [place ?? '', name] : [first?.namespace ?? '', first?.name ?? ''];
  return (
    <section class="traffic" aria-label={t('traffic')}>
      <header class="page-head">
        <h1 class="page-title">{t('traffic')}</h1>
        <span class="muted">{t('trafficLead')}</span>
        <span class="grow" />
        <FromInput />
      </header>
      <ServicesNotice services={services} />
      <div class="traffic-panes">
        <nav class="service-list" aria-label={t('services')}>
          {rows.map((row) => (
            <a
              key={row.key}
              href={links.traffic(row.namespace, row.name) + (query.value.size > 0 ? `?${query.value}` : '')}
              aria-current={row.namespace === shownPlace && row.name === shownName ? 'page' : undefined}
            >
              <span class="service-name">{row.name}</span>
              <span class="muted small">
                {row.namespace} · {String(row.cells[1] ?? '')}
              </span>
            </a>
          ))}
        </nav>
        {shownName && <ServicePicture key={`${shownPlace}/${shownName}`} place={shownPlace} name={shownName} />}
      </div>
    </section>
  );
}

function ServicesNotice({ services }: { services: OpenFeed | undefined }) {
  const phase = services?.phase.value;
  if (phase?.name === 'failed')
    return (
      <p class="notice bad" role="alert">
        {phase.message}
      </p>
    );
  if (phase?.name === 'live' && services?.rows.size === 0) return <p class="muted pad">{t('empty')}</p>;
  return null;
}

const FromInput = () => (
  <label class="from-label">
    <span class="muted">{t('fromAddress')}</span>
    <input
      class="from-input"
      placeholder="203.0.113.7"
      spellcheck={false}
      value={query.value.get('from') ?? ''}
      onChange={({ currentTarget }) => setQuery({ from: currentTarget.value.trim() })}
    />
  </label>
);

/** Changes of endpoints come in bursts. */
const pauseMs = 250;

function ServicePicture({ place, name }: { place: string; name: string }) {
  const from = query.value.get('from') ?? '';
  const scope = `/namespaces/${encodeURIComponent(place)}`;
  const slices = useFeed({
    path: `/apis/discovery.k8s.io/v1${scope}/endpointslices`,
    labelSelector: `kubernetes.io/service-name=${name}`,
    as: 'table',
  });
  const service = useFeed({ path: `/api/v1${scope}/services`, fieldSelector: `metadata.name=${name}`, as: 'table' });
  const at = moment.value?.revision;
  const changes = `${slices?.version.value} ${service?.version.value}`;
  const paths = useSignal<readonly PortPath[] | undefined>(undefined);
  const fault = useSignal<string | undefined>(undefined);
  // Changes of service and endpoints change the path.
  useEffect(
    () =>
      after(pauseMs, () => {
        getInsight('trace', {
          namespace: place,
          name,
          ...(isAddress(from) && { from }),
          ...(at && { at: String(at) }),
        }).then(
          (answer) => {
            paths.value = portPaths(answer);
            fault.value = undefined;
          },
          (error) => {
            fault.value = error instanceof Error ? error.message : String(error);
          },
        );
      }),
    [place, name, from, at, changes],
  );
  if (fault.value)
    return (
      <p class="notice bad" role="alert">
        {fault.value}
      </p>
    );
  return (
    <div class="paths">
      <h2>
        <a href={links.object('services', place, name)}>{name}</a>
      </h2>
      {from && !isAddress(from) && <p class="notice busy flat">{t('fromInvalid')}</p>}
      {paths.value?.length === 0 && <p class="muted">{t('noPaths')}</p>}
      {paths.value?.map((path) => (
        <PortPicture key={`${path.port}/${path.protocol}`} place={place} path={path} from={from} />
      ))}
    </div>
  );
}

const isAddress = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);
