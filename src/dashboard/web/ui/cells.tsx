// Cells of tables: texts, ages, and words of a status with their colour.

import { humanDuration } from '../../../machinery/time/duration.ts';
import { type Column, isAge, type Row } from '../model/rows.ts';
import { type Tone, toneOf, toneOfCount } from '../model/tone.ts';

export function cellText(column: Column & { readonly index: number }, row: Row, nowMs: number): string {
  if (isAge(column) && row.created > 0) return humanDuration(nowMs - row.created);
  const cell = row.cells[column.index];
  return cell === null || cell === undefined ? '' : String(cell);
}

const statusColumns = new Set(['Status', 'Phase', 'Type', 'Condition', 'Available', 'Established']);

export function StatusText({ column, text }: { column: string; text: string }) {
  const tone = statusColumns.has(column) ? toneOf(text) : column === 'Ready' ? toneOfCount(text) : 'plain';
  return tone === 'plain' ? text : <Pill tone={tone} text={text} />;
}

export const Pill = ({ tone, text }: { tone: Tone; text: string }) => (
  <span class={`pill ${tone}`}>
    <span class="pill-dot" aria-hidden="true" />
    {text}
  </span>
);
