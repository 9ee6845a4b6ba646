// The usage of nodes and pods: now, and over the last half hour.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { getInsight, getJson } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { amountOf, bytesText, coresText } from '../model/amounts.ts';
import { addUsage, readHistory, readUsage, type UsageRow } from '../model/usage.ts';
import { links, query, setQuery } from '../router.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';
import { whileVisible } from '../ui/poll.ts';
import { Sparkline } from '../ui/sparkline.tsx';

/** metrics-server reads the kubelets every 15 s: a point is a few seconds old. */
const periodMs = 5_000;
/** Rows that the page draws. */
const most = 100;

type Resource = 'nodes' | 'pods';

export function TopPage() {
  const resource: Resource = query.value.get('of') === 'pods' ? 'pods' : 'nodes';
  return (
    <section class="tool-page" aria-label={t('top')}>
      <header class="page-head">
        <h1 class="page-title">{t('top')}</h1>
        <span class="muted">{t('topLead')}</span>
        <span class="grow" />
        <div class="switch" role="group" aria-label={t('top')}>
          {(['nodes', 'pods'] as const).map((one) => (
            <button key={one} type="button" aria-pressed={one === resource} onClick={() => setQuery({ of: one })}>
              {t(one)}
            </button>
          ))}
        </div>
      </header>
      <UsageTable key={`${resource} ${namespace.value}`} resource={resource} place={namespace.value} />
    </section>
  );
}

function UsageTable({ resource, place }: { resource: Resource; place: string }) {
  const { series, fault } = useUsage(resource, place);
  const capacity = useCapacity(resource);
  const sort = useSignal<'cpu' | 'memory'>('cpu');
  const rows = useMemo(
    () => [...(series ?? [])].sort((a, b) => lastOf(b)[sort.value] - lastOf(a)[sort.value]),
    [series, sort.value],
  );
  if (fault)
    return (
      <p class="notice busy" role="alert">
        {fault}
      </p>
    );
  if (!series) return <p class="muted pad">{t('topWaits')}</p>;
  if (rows.length === 0) return <p class="muted pad">{t('empty')}</p>;
  return (
    <div class="table-scroll">
      <table class="tool-table">
        <thead>
          <tr>
            <th scope="col">{t('name')}</th>
            {(['cpu', 'memory'] as const).map((one) => (
              <th key={one} scope="col" colSpan={2} aria-sort={sort.value === one ? 'descending' : 'none'}>
                <button type="button" class="quiet sort" onClick={() => (sort.value = one)}>
                  {t(one)}
                  {sort.value === one && <span aria-hidden="true"> ↓</span>}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, most).map((row) => (
            <UsageLine key={row.key} resource={resource} row={row} capacity={capacity.get(row.name)} />
          ))}
        </tbody>
      </table>
      {rows.length > most && <p class="muted pad">{t('andMore', { count: rows.length - most })}</p>}
    </div>
  );
}

const lastOf = ({ points }: UsageRow) => points[points.length - 1] ?? { atMs: 0, cpu: 0, memory: 0 };

interface Capacity {
  readonly cpu: number;
  readonly memory: number;
}

interface LineProps {
  readonly resource: Resource;
  readonly row: UsageRow;
  /** Of a node. */
  readonly capacity: Capacity | undefined;
}

function UsageLine({ resource, row, capacity }: LineProps) {
  const { cpu, memory } = lastOf(row);
  const share = (value: number, of: number | undefined) => (of ? ` · ${Math.round((value / of) * 100)} %` : '');
  const values = (field: 'cpu' | 'memory') => row.points.map((point) => ({ atMs: point.atMs, value: point[field] }));
  return (
    <tr>
      <th scope="row">
        <a href={links.object(resource, row.namespace, row.name)}>{row.name}</a>
        {row.namespace && <span class="muted small"> {row.namespace}</span>}
      </th>
      <td class="number">
        {coresText(cpu)}
        <span class="muted">{share(cpu, capacity?.cpu)}</span>
      </td>
      <td>
        <Sparkline values={values('cpu')} label={t('cpuOf', { name: row.name })} />
      </td>
      <td class="number">
        {bytesText(memory)}
        <span class="muted">{share(memory, capacity?.memory)}</span>
      </td>
      <td>
        <Sparkline values={values('memory')} label={t('memoryOf', { name: row.name })} />
      </td>
    </tr>
  );
}

/** The history of the server first, then the points of this page. */
function useUsage(resource: Resource, place: string) {
  const series = useSignal<ReadonlyMap<string, UsageRow> | undefined>(undefined);
  const fault = useSignal('');
  useEffect(() => {
    const stop = new AbortController();
    const scope = resource === 'pods' && place ? `/namespaces/${encodeURIComponent(place)}` : '';
    const read = async () => {
      try {
        const list = await getJson(`/apis/metrics.k8s.io/v1beta1${scope}/${resource}`, { signal: stop.signal });
        series.value = addUsage(series.value ?? new Map(), readUsage(list), true);
        fault.value = '';
      } catch (error) {
        if (!stop.signal.aborted) fault.value = faultText(error);
      }
    };
    const addKept = async () => {
      // A server without history has none to add.
      const kept = await getInsight('usage', { resource, namespace: place }).catch(() => undefined);
      if (!stop.signal.aborted && series.value) series.value = addUsage(series.value, readHistory(kept), false);
    };
    let isFirst = true;
    const cancel = whileVisible(periodMs, async () => {
      await read();
      if (isFirst) await addKept();
      isFirst = false;
    });
    return () => {
      cancel();
      stop.abort();
    };
  }, [resource, place, series, fault]);
  return { series: series.value && [...series.value.values()], fault: fault.value };
}

function faultText(error: unknown): string {
  if (error instanceof Failure && error.code === 404) return t('topMissing');
  return error instanceof Error ? error.message : String(error);
}

/** Of the nodes that the user may list. */
function useCapacity(resource: Resource): ReadonlyMap<string, Capacity> {
  const found = useSignal<ReadonlyMap<string, Capacity>>(new Map());
  useEffect(() => {
    if (resource !== 'nodes') return;
    void getJson('/api/v1/nodes').then(
      (list) => {
        found.value = new Map(listIn(fieldsIn(list)['items']).map(capacityOf));
      },
      () => undefined,
    );
  }, [resource, found]);
  return found.value;
}

function capacityOf(node: unknown): readonly [string, Capacity] {
  const { metadata, status } = fieldsIn(node);
  const { cpu, memory } = fieldsIn(fieldsIn(status)['allocatable']);
  return [
    textIn(fieldsIn(metadata)['name']),
    { cpu: amountOf(textIn(cpu)) ?? 0, memory: amountOf(textIn(memory)) ?? 0 },
  ];
}
