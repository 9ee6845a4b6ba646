// A grid of any number of rows: only those in view are drawn. One row is active, and moves with the keys.

import { type Signal, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { type Column, gridColumns, type Order, type Row, windowOf } from '../model/rows.ts';
import { go } from '../router.ts';
import { now } from '../system.ts';
import { t } from '../text.ts';
import { cellText, StatusText } from './cells.tsx';
import { isTyping } from './keys.ts';
import { useNow } from './now.ts';

type ShownColumn = Column & { readonly index: number };

interface TableProps {
  readonly label: string;
  readonly columns: readonly ShownColumn[];
  readonly rows: readonly Row[];
  readonly withNamespace: boolean;
  readonly order: Order;
  onSort(column: number): void;
  linkOf(row: Row): string;
  readonly selected: Signal<ReadonlySet<string>>;
}

const rowHeight = 36;
const headHeight = 34;
/** Ages change that often. */
const ageMs = 5_000;

export function Table(props: TableProps) {
  const { label, columns, rows, withNamespace, selected } = props;
  const box = useRef<HTMLDivElement>(null);
  const view = useSignal({ top: 0, height: 800 });
  const active = useSignal(-1);
  const nowMs = useNow(ageMs);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      view.value = { top: element.scrollTop, height: element.clientHeight };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [view]);
  useRowKeys(props, box, active);
  const { first, end } = windowOf(rows.length, rowHeight, view.value.top, view.value.height);
  const grid = useGrid(columns, rows, withNamespace);
  const activeKey = rows[active.value]?.key;
  const drawn = useDrawnRows();
  return (
    <div
      ref={box}
      class="table"
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-multiselectable="true"
      tabIndex={0}
      aria-activedescendant={activeKey ? `row-${activeKey}` : undefined}
      onScroll={({ currentTarget }) => {
        view.value = { top: currentTarget.scrollTop, height: currentTarget.clientHeight };
      }}
    >
      <Head {...props} style={grid} />
      <div class="table-body" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, end).map((row, offset) => {
          const index = first + offset;
          const isActive = index === active.value;
          return drawn.node(row.key, [row, index, isActive, nowMs, grid], () => (
            <TableRow
              key={row.key}
              {...{ row, columns, withNamespace, nowMs, selected, index, isActive }}
              link={props.linkOf(row)}
              style={{ ...grid, top: `${index * rowHeight}px` }}
            />
          ));
        })}
      </div>
    </div>
  );
}

interface DrawnRow {
  readonly inputs: readonly unknown[];
  readonly node: VNode;
}

/** Rows of the last drawing with the same inputs are used again: scrolling draws the rows that appear. */
function useDrawnRows() {
  const before = useRef(new Map<string, DrawnRow>());
  const drawn = new Map<string, DrawnRow>();
  const former = before.current;
  before.current = drawn;
  return {
    node(key: string, inputs: readonly unknown[], draw: () => VNode): VNode {
      const found = former.get(key);
      const isSame = found?.inputs.every((input, index) => input === inputs[index]);
      const row = found && isSame ? found : { inputs, node: draw() };
      drawn.set(key, row);
      return row.node;
    },
  };
}

/** Rows whose texts decide the widths. */
const sampled = 200;

/** Scrolling does not change the widths. */
function useGrid(columns: readonly ShownColumn[], rows: readonly Row[], withNamespace: boolean) {
  const names = columns.map(({ index }) => index).join();
  return useMemo(() => {
    const texts = rows
      .slice(0, sampled)
      .map((row) => [
        ...(withNamespace ? [row.namespace] : []),
        ...columns.map((column) => cellText(column, row, now())),
      ]);
    const heads = [...(withNamespace ? [{ name: t('namespace') }] : []), ...columns];
    return { gridTemplateColumns: `28px ${gridColumns(heads, texts)}` };
  }, [names, rows, withNamespace]);
}

function Head({ columns, withNamespace, order, onSort, style }: TableProps & { style: Record<string, string> }) {
  const sortOf = (index: number) =>
    order.column === index ? (order.isDescending ? 'descending' : 'ascending') : undefined;
  return (
    <div class="table-head" role="row" aria-rowindex={1} style={style}>
      <span role="columnheader" aria-label={t('select')} />
      {withNamespace && (
        <span role="columnheader" class="cell">
          {t('namespace')}
        </span>
      )}
      {columns.map(({ name, index, description }) => (
        <span key={index} role="columnheader" aria-sort={sortOf(index)} class="cell" title={description}>
          <button type="button" class="sort" onClick={() => onSort(index)}>
            {name}
            <span class="sort-mark" aria-hidden="true">
              {order.column === index ? (order.isDescending ? '↓' : '↑') : ''}
            </span>
          </button>
        </span>
      ))}
    </div>
  );
}

interface RowProps {
  readonly row: Row;
  readonly index: number;
  readonly columns: readonly ShownColumn[];
  readonly withNamespace: boolean;
  readonly nowMs: number;
  readonly isActive: boolean;
  readonly link: string;
  readonly selected: Signal<ReadonlySet<string>>;
  readonly style: Record<string, string>;
}

function TableRow({ row, index, columns, withNamespace, nowMs, isActive, link, selected, style }: RowProps) {
  const isSelected = selected.value.has(row.key);
  const classes = ['table-row', isActive && 'active', isSelected && 'selected', row.isDeleting && 'deleting'];
  return (
    <div
      id={`row-${row.key}`}
      class={classes.filter(Boolean).join(' ')}
      role="row"
      tabIndex={-1}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      style={style}
      onClick={(event) => {
        if (event.target instanceof Element && !event.target.closest('a, input')) go(link);
      }}
    >
      <span role="gridcell" class="check">
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={row.name}
          checked={isSelected}
          onChange={() => toggle(selected, row.key)}
        />
      </span>
      {withNamespace && (
        <span role="gridcell" class="cell muted">
          {row.namespace}
        </span>
      )}
      {columns.map((column) => (
        <span key={column.index} role="gridcell" class="cell" title={cellText(column, row, nowMs)}>
          {column.format === 'name' || column.index === 0 ? (
            <a href={link} tabIndex={-1}>
              {cellText(column, row, nowMs)}
            </a>
          ) : (
            <StatusText column={column.name} text={cellText(column, row, nowMs)} />
          )}
        </span>
      ))}
    </div>
  );
}

function toggle(selected: Signal<ReadonlySet<string>>, key: string): void {
  const next = new Set(selected.value);
  if (!next.delete(key)) next.add(key);
  selected.value = next;
}

/** j and k, or the arrows: move; Enter: open; x: select. */
function useRowKeys(
  { rows, linkOf, selected }: TableProps,
  box: { readonly current: HTMLElement | null },
  active: Signal<number>,
) {
  const latest = useRef({ rows, linkOf });
  latest.current = { rows, linkOf };
  useEffect(() => {
    const move = (to: number) => {
      const { rows } = latest.current;
      active.value = Math.max(0, Math.min(rows.length - 1, to));
      reveal(box.current, active.value);
    };
    const page = () => Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Readonly<Record<string, () => number>> = {
      j: () => active.value + 1,
      ArrowDown: () => active.value + 1,
      k: () => active.value - 1,
      ArrowUp: () => active.value - 1,
      PageDown: () => active.value + page(),
      PageUp: () => active.value - page(),
      Home: () => 0,
      End: () => latest.current.rows.length - 1,
    };
    const listen = (event: KeyboardEvent) => {
      if (isTyping(event) || document.querySelector('dialog[open]')) return;
      const row = latest.current.rows[active.value];
      if (Object.hasOwn(moves, event.key)) move(moves[event.key]());
      else if (event.key === 'Enter' && row && isFree(event)) go(latest.current.linkOf(row));
      else if (event.key === 'x' && row) toggle(selected, row.key);
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [active, box, selected]);
}

/** A focused button or link takes Enter itself. */
const isFree = ({ target }: KeyboardEvent): boolean =>
  !(target instanceof Element && target.closest('a, button, summary'));

function reveal(box: HTMLElement | null, index: number): void {
  if (!box) return;
  const top = index * rowHeight;
  const bottom = top + rowHeight + headHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}
