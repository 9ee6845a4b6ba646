// The page of one object: its head, its actions, its tabs.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { humanDuration } from '../../../machinery/time/duration.ts';
import { ObjectActions } from '../actions/object-actions.tsx';
import { getJson, type KubeObject, objectIn } from '../api/api.ts';
import { kindById, kinds } from '../api/catalog.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { statusOf } from '../model/status.ts';
import { titleOf } from '../model/titles.ts';
import { moment } from '../past/moment.ts';
import { Timeline } from '../past/timeline.tsx';
import { links, query, type Tab } from '../router.ts';
import { type TextKey, t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import { useFeed } from '../ui/feed-hooks.ts';
import { useNow } from '../ui/now.ts';
import { StaleNotice } from '../ui/stale-notice.tsx';
import { EventsTab } from './events-tab.tsx';
import { hasLogs } from './log-sources.ts';
import { LogsTab } from './logs-tab.tsx';
import { OverviewTab } from './overview-tab.tsx';
import { TerminalTab } from './terminal-tab.tsx';
import { useVersions, type Version } from './versions.ts';
import { WhyTab } from './why-tab.tsx';
import { YamlTab } from './yaml-tab.tsx';

interface Props {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly tab: Tab;
}

export function ObjectPage(props: Props) {
  const kind = kindById(props.id);
  if (kind) return <KindObject {...props} kind={kind} />;
  if (kinds.value.length === 0) return <p class="muted pad">{t('loading')}</p>;
  return <p class="notice">{t('unknownKind', { kind: props.id })}</p>;
}

function KindObject({ kind, namespace, name, tab }: Props & { kind: Kind }) {
  const feed = useFeed({
    path: apiPath(kind, namespace),
    fieldSelector: `metadata.name=${name}`,
    as: 'objects',
  });
  const versions = useVersions(feed);
  const single = useSingle(kind, namespace, name, feed?.phase.value.name === 'failed');
  const latest = versions.value.at(-1);
  const object = latest?.object ?? single;
  const phase = feed?.phase.value;
  if (!object) {
    if (phase?.name === 'past' || phase?.name === 'live')
      return (
        <>
          <Missing kind={kind} text={t(phase.name === 'past' ? 'pastMissing' : 'objectGone')} />
          <div class="why single pad">
            <Timeline {...{ kind, namespace, name, object }} versions={versions.value} />
          </div>
        </>
      );
    if (phase?.name === 'failed') return <Missing kind={kind} text={phase.message} />;
    return <div class="skeleton pad" aria-busy="true" />;
  }
  return (
    <section class={isFilling(tab) ? 'object-page filled' : 'object-page'} aria-label={`${kind.kind} ${name}`}>
      <ObjectHead kind={kind} object={object} />
      {latest?.isDeleted && <p class="notice bad">{t('objectDeleted')}</p>}
      <StaleNotice phase={phase} />
      <Tabs kind={kind} object={object} tab={tab} />
      <div class="tab-body">
        <TabBody {...{ kind, object, tab }} versions={versions.value} />
      </div>
    </section>
  );
}

/** Users who may get the object, and not list it. */
function useSingle(kind: Kind, namespace: string, name: string, isNeeded: boolean): KubeObject | undefined {
  const found = useSignal<KubeObject | undefined>(undefined);
  useEffect(() => {
    if (!isNeeded) return;
    getJson(apiPath(kind, namespace, name)).then(
      (object) => (found.value = objectIn(object)),
      () => (found.value = undefined),
    );
  }, [kind, namespace, name, isNeeded, found]);
  return found.value;
}

const Missing = ({ kind, text }: { kind: Kind; text: string }) => (
  <div class="empty" role="alert">
    <p class="empty-title">{text}</p>
    <a href={links.list(kindId(kind))}>{titleOf(kind)}</a>
  </div>
);

function ObjectHead({ kind, object }: { kind: Kind; object: KubeObject }) {
  const { name, namespace, creationTimestamp = '' } = object.metadata;
  const nowMs = useNow(5_000);
  const status = useMemo(() => statusOf(object), [object]);
  return (
    <header class="object-head">
      <div class="object-title">
        <p class="crumbs">
          <a href={links.list(kindId(kind))}>{titleOf(kind)}</a>
          {namespace && (
            <>
              <span aria-hidden="true">/</span>
              <a href={links.object('namespaces', '', namespace)}>{namespace}</a>
            </>
          )}
        </p>
        <h1>{name}</h1>
        <p class="object-facts">
          {status && <Pill tone={status.tone} text={status.text} />}
          <span class="muted" title={creationTimestamp}>
            {humanDuration(nowMs - Date.parse(creationTimestamp))}
          </span>
        </p>
      </div>
      {!moment.value && <ObjectActions kind={kind} object={object} />}
    </header>
  );
}

/** The page of these tabs has the height of the window, and they scroll inside. */
const isFilling = (tab: Tab): boolean =>
  tab === 'logs' || tab === 'terminal' || (tab === 'yaml' && query.value.get('edit') === '1');

const isPod = (kind: Kind): boolean => kindId(kind) === 'pods';

function tabsOf(kind: Kind): readonly Tab[] {
  return [
    'overview',
    'why',
    'yaml',
    'events',
    ...(hasLogs(kind) ? (['logs'] as const) : []),
    ...(isPod(kind) ? (['terminal'] as const) : []),
  ];
}

function Tabs({ kind, object, tab }: { kind: Kind; object: KubeObject; tab: Tab }) {
  const { name, namespace = '' } = object.metadata;
  return (
    <div class="tabs" role="tablist">
      {tabsOf(kind).map((one) => (
        <a
          key={one}
          role="tab"
          aria-selected={one === tab}
          href={links.object(kindId(kind), namespace, name, one)}
          class="tab"
        >
          {one === 'yaml' ? 'YAML' : t(one as TextKey)}
        </a>
      ))}
    </div>
  );
}

interface TabProps {
  readonly kind: Kind;
  readonly object: KubeObject;
  readonly tab: Tab;
  readonly versions: readonly Version[];
}

function TabBody({ kind, object, tab, versions }: TabProps) {
  switch (tab) {
    case 'yaml':
      return <YamlTab kind={kind} object={object} />;
    case 'events':
      return <EventsTab object={object} />;
    case 'why':
      return <WhyTab kind={kind} object={object} versions={versions} />;
    case 'logs':
      return <LogsTab kind={kind} object={object} />;
    case 'terminal':
      if (moment.value) return <p class="muted">{t('pastTerminal')}</p>;
      return <TerminalTab object={object} />;
    default:
      return <OverviewTab kind={kind} object={object} />;
  }
}
