// Releases of Helm: the list, the revisions of one, and its values, notes and manifest.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { humanDuration } from '../../../machinery/time/duration.ts';
import { getJson } from '../api/api.ts';
import { decodeRelease, type Release, type ReleaseRevision, revisionOf } from '../model/helm.ts';
import { toneOf } from '../model/tone.ts';
import { links, query, setQuery } from '../router.ts';
import { namespace } from '../settings.ts';
import { type TextKey, t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import { useNow } from '../ui/now.ts';
import { whileVisible } from '../ui/poll.ts';

const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
const refreshMs = 10_000;

export function HelmPage({ place, name }: { place: string | undefined; name: string | undefined }) {
  const { revisions, fault } = useRevisions(place ?? namespace.value);
  const releases = latestOf(revisions ?? []);
  return (
    <section class="tool-page" aria-label="Helm">
      <header class="page-head">
        <h1 class="page-title">{name ?? t('helm')}</h1>
        <span class="muted">{name ? place : t('helmLead')}</span>
        <span class="grow" />
        {name && (
          <a class="button quiet" href={links.helm()}>
            {t('helmAll')}
          </a>
        )}
      </header>
      {fault && (
        <p class="notice busy" role="alert">
          {fault}
        </p>
      )}
      {!revisions && !fault && <p class="muted pad">{t('loading')}</p>}
      {revisions && !name && <Releases releases={releases} />}
      {revisions && name && <ReleaseView revisions={revisions.filter(({ release }) => release === name)} />}
    </section>
  );
}

function latestOf(revisions: readonly ReleaseRevision[]): ReleaseRevision[] {
  const latest = new Map<string, ReleaseRevision>();
  for (const one of revisions) {
    const key = `${one.namespace}/${one.release}`;
    if ((latest.get(key)?.revision ?? 0) < one.revision) latest.set(key, one);
  }
  return [...latest.values()].sort((a, b) => (a.release < b.release ? -1 : 1));
}

function useRevisions(place: string) {
  const revisions = useSignal<readonly ReleaseRevision[] | undefined>(undefined);
  const fault = useSignal('');
  useEffect(() => {
    const stop = new AbortController();
    const path = place ? `/api/v1/namespaces/${encodeURIComponent(place)}/secrets` : '/api/v1/secrets';
    const search = { labelSelector: 'owner=helm', fieldSelector: 'type=helm.sh/release.v1', limit: '5000' };
    const read = () =>
      getJson(path, { accept: metadataOnly, query: search, signal: stop.signal }).then(
        (list) => {
          revisions.value = listIn(fieldsIn(list)['items']).flatMap(
            (item) => revisionOf(fieldsIn(item)['metadata']) ?? [],
          );
          fault.value = '';
        },
        (error) => {
          if (!stop.signal.aborted) fault.value = error instanceof Error ? error.message : String(error);
        },
      );
    const cancel = whileVisible(refreshMs, read);
    return () => {
      cancel();
      stop.abort();
    };
  }, [place, revisions, fault]);
  return { revisions: revisions.value, fault: fault.value };
}

function Releases({ releases }: { releases: readonly ReleaseRevision[] }) {
  const nowMs = useNow(10_000);
  if (releases.length === 0) return <p class="muted pad">{t('helmNone')}</p>;
  return (
    <div class="table-scroll">
      <table class="tool-table">
        <thead>
          <tr>
            {(['name', 'namespace', 'revision', 'status', 'age'] as const).map((one) => (
              <th key={one} scope="col">
                {t(one)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {releases.map((one) => (
            <tr key={`${one.namespace}/${one.release}`}>
              <th scope="row">
                <a href={links.helm(one.namespace, one.release)}>{one.release}</a>
              </th>
              <td>{one.namespace}</td>
              <td>{one.revision}</td>
              <td>
                <StatusPill status={one.status} />
              </td>
              <td class="muted">{humanDuration(nowMs - Date.parse(one.created))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const StatusPill = ({ status }: { status: string }) => (
  <Pill tone={status === 'deployed' ? 'ok' : status === 'superseded' ? 'plain' : toneOf(status)} text={status} />
);

const parts = ['values', 'notes', 'manifest', 'defaults'] as const;
type PartName = (typeof parts)[number];

function ReleaseView({ revisions }: { revisions: readonly ReleaseRevision[] }) {
  const newest = [...revisions].sort((a, b) => b.revision - a.revision);
  const asked = Number(query.value.get('revision'));
  const shown = newest.find(({ revision }) => revision === asked) ?? newest[0];
  const part = parts.find((one) => one === query.value.get('part')) ?? 'values';
  if (!shown) return <p class="muted pad">{t('objectGone')}</p>;
  return (
    <div class="helm-release">
      <div class="toolbar">
        <select
          aria-label={t('revision')}
          value={shown.revision}
          onChange={({ currentTarget }) => setQuery({ revision: currentTarget.value })}
        >
          {newest.map(({ revision, status }) => (
            <option key={revision} value={revision}>
              {t('helmRevision', { revision, status })}
            </option>
          ))}
        </select>
        <div class="switch" role="group" aria-label={t('details')}>
          {parts.map((one) => (
            <button key={one} type="button" aria-pressed={one === part} onClick={() => setQuery({ part: one })}>
              {t(`helm.${one}` as TextKey)}
            </button>
          ))}
        </div>
        <span class="grow" />
        <a href={links.object('secrets', shown.namespace, shown.secret)}>{t('helmSecret')}</a>
      </div>
      <Content key={shown.secret} revision={shown} part={part} />
    </div>
  );
}

function Content({ revision, part }: { revision: ReleaseRevision; part: PartName }) {
  const release = useSignal<Release | undefined>(undefined);
  const fault = useSignal('');
  const text = useSignal('');
  useEffect(() => {
    const path = `/api/v1/namespaces/${encodeURIComponent(revision.namespace)}/secrets/${encodeURIComponent(revision.secret)}`;
    getJson(path)
      .then((secret) => decodeRelease(textIn(fieldsIn(fieldsIn(secret)['data'])['release'])))
      .then(
        (decoded) => (release.value = decoded),
        (error) => (fault.value = error instanceof Error ? error.message : String(error)),
      );
  }, [revision.namespace, revision.secret]);
  useEffect(() => {
    if (release.value) void partText(release.value, part).then((shown) => (text.value = shown));
  }, [release.value, part]);
  if (fault.value)
    return (
      <p class="notice bad flat" role="alert">
        {t('helmUnreadable')} {fault.value}
      </p>
    );
  if (!release.value) return <p class="muted">{t('loading')}</p>;
  const { chart, chartVersion, appVersion, description } = release.value;
  return (
    <>
      <p class="object-facts">
        <StatusPill status={revision.status} />
        <span>
          {chart} {chartVersion}
        </span>
        {appVersion && <span class="muted">{t('helmApp', { version: appVersion })}</span>}
        <span class="muted">{description}</span>
      </p>
      <pre class="yaml" tabIndex={0} role="region" aria-label="YAML">
        {text.value || t('none')}
      </pre>
    </>
  );
}

async function partText({ notes, manifest, values, defaults }: Release, part: PartName): Promise<string> {
  if (part === 'notes') return notes;
  if (part === 'manifest') return manifest;
  const { yamlText } = await import('../model/yaml.ts');
  return yamlText(part === 'values' ? values : defaults);
}
