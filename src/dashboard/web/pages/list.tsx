// All objects of a kind: the server's columns, filtered, sorted, live.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { kindById, kinds } from '../api/catalog.ts';
import type { OpenFeed } from '../feeds/client.ts';
import type { FeedTarget } from '../feeds/protocol.ts';
import { parseFilter } from '../model/filter.ts';
import { apiPath, type Kind } from '../model/kinds.ts';
import type { Row } from '../model/rows.ts';
import { titleOf } from '../model/titles.ts';
import { links, query, setQuery } from '../router.ts';
import { namespace } from '../settings.ts';
import { after } from '../system.ts';
import { type TextKey, t } from '../text.ts';
import { useArranged } from '../ui/arranged.ts';
import { useFeed } from '../ui/feed-hooks.ts';
import { Icon } from '../ui/icons.tsx';
import { StaleNotice } from '../ui/stale-notice.tsx';
import { Table } from '../ui/table.tsx';
import { ListSelection } from './list-selection.tsx';

export function ListPage({ id }: { id: string }) {
  const kind = kindById(id);
  if (kind) return <KindList kind={kind} id={id} />;
  if (kinds.value.length === 0) return <p class="muted pad">{t('loading')}</p>;
  return <p class="notice">{t('unknownKind', { kind: id })}</p>;
}

function KindList({ kind, id }: { kind: Kind; id: string }) {
  const text = query.value.get('filter') ?? '';
  const filter = parseFilter(text);
  const target: FeedTarget = {
    path: apiPath(kind, namespace.value),
    as: 'table',
    ...(filter.labelSelector && { labelSelector: filter.labelSelector }),
    ...(filter.fieldSelector && { fieldSelector: filter.fieldSelector }),
  };
  const feed = useFeed(target);
  const isWide = useSignal(false);
  const selected = useSignal<ReadonlySet<string>>(new Set());
  const order = orderIn(query.value.get('sort') ?? '');
  const arranged = useArranged(feed, filter.names, order);
  if (!feed) return null;
  const rows = arranged.value;
  const columns = feed.columns.value.map((column, index) => ({ ...column, index }));
  const shown = columns.filter(({ priority, name }) => (isWide.value || priority === 0) && name !== 'Namespace');
  return (
    <section class="list-page" aria-label={titleOf(kind)}>
      <header class="page-head">
        <h1 class="page-title">{titleOf(kind)}</h1>
        <Count feed={feed} shown={rows.length} />
        <span class="grow" />
        <FilterInput text={text} />
        <button
          type="button"
          class="quiet"
          aria-pressed={isWide.value}
          title={t('columnWide')}
          aria-label={t('columnWide')}
          onClick={() => (isWide.value = !isWide.value)}
        >
          <Icon name="columns" />
        </button>
      </header>
      <ListSelection kind={kind} feed={feed} selected={selected} />
      <FeedNotice feed={feed} rows={rows} text={text} />
      {rows.length > 0 && (
        <Table
          label={titleOf(kind)}
          columns={shown}
          rows={rows}
          withNamespace={kind.isNamespaced && namespace.value === ''}
          order={order}
          onSort={(column) => setQuery({ sort: nextSort(order, column) })}
          linkOf={(row) => links.object(id, row.namespace, row.name)}
          selected={selected}
        />
      )}
    </section>
  );
}

/** `3`: by the fourth column; `-3`: descending. The default is by namespace and name. */
function orderIn(text: string): { column: number; isDescending: boolean } {
  const match = /^(-?)(\d+)$/.exec(text);
  return match ? { column: Number(match[2]), isDescending: match[1] === '-' } : { column: -1, isDescending: false };
}

function nextSort(order: { column: number; isDescending: boolean }, column: number): string {
  if (order.column !== column) return String(column);
  return order.isDescending ? '' : `-${column}`;
}

function Count({ feed, shown }: { feed: OpenFeed; shown: number }) {
  void feed.version.value;
  const total = feed.rows.size;
  const phase = feed.phase.value;
  const isLoading = phase.name === 'loading';
  const text = isLoading
    ? total > 0
      ? t('loadingMany', { total })
      : ''
    : shown === total
      ? t('rowsAll', { total })
      : t('rows', { count: shown, total });
  return (
    <span class="count" role="status">
      {phase.name === 'live' && <span class="live-dot" aria-hidden="true" />}
      {phase.name === 'failed' ? '' : text}
    </span>
  );
}

const FilterInput = ({ text }: { text: string }) => (
  <input
    type="search"
    class="filter"
    data-filter
    aria-label={t('filter')}
    placeholder={t('filterPlaceholder')}
    spellcheck={false}
    value={text}
    onInput={({ currentTarget }) => setQuery({ filter: currentTarget.value })}
    onKeyDown={(event) => {
      if (event.key !== 'Escape') return;
      // Browsers would clear the field.
      event.preventDefault();
      event.currentTarget.blur();
    }}
  />
);

function FeedNotice({ feed, rows, text }: { feed: OpenFeed; rows: readonly Row[]; text: string }) {
  void feed.version.value;
  const phase = feed.phase.value;
  if (phase.name === 'stale') return <StaleNotice phase={phase} />;
  if (phase.name === 'failed')
    return (
      <div class="empty" role="alert">
        <p class="empty-title">{t(failureText(phase.code))}</p>
        <p class="muted">{phase.code === 0 ? t('noAnswer') : phase.message}</p>
      </div>
    );
  if (rows.length > 0) return null;
  if (phase.name === 'loading') return <SkeletonRows />;
  return (
    <div class="empty">
      <p class="empty-title">
        {text ? t('emptyFilter') : namespace.value ? t('emptyIn', { namespace: namespace.value }) : t('empty')}
      </p>
      {text && (
        <button type="button" onClick={() => setQuery({ filter: '' })}>
          {t('clearFilter')}
        </button>
      )}
    </div>
  );
}

const failureText = (code: number): TextKey => {
  if (code === 410) return 'pastGone';
  return code === 403 ? 'forbidden' : code === 404 ? 'gone' : 'failed';
};

const slowMs = 4_000;

function SkeletonRows() {
  const isSlow = useSignal(false);
  useEffect(() => after(slowMs, () => void (isSlow.value = true)), [isSlow]);
  return (
    <div class="skeleton" role="status" aria-busy="true" aria-label={t('loading')}>
      {isSlow.value && <p class="muted">{t('slow')}</p>}
      {Array.from({ length: 8 }, (_, index) => (
        <div key={index} class="skeleton-row" />
      ))}
    </div>
  );
}
