// The changes over time: a line for each mark, of three colours.

import { heightsOf, type Mark } from '../model/history.ts';

const width = 1_000;
const height = 30;

interface Props {
  readonly marks: readonly Mark[];
  readonly beginMs: number;
  readonly endMs: number;
}

export function Marks({ marks, beginMs, endMs }: Props) {
  const heights = heightsOf(marks);
  const rangeMs = Math.max(1, endMs - beginMs);
  const at = (mark: Mark) => ((mark.timeMs - beginMs) / rangeMs) * width;
  const parts = (['changed', 'added', 'deleted'] as const).map((part) => ({
    part,
    path: marks.map((mark, index) => lineOf(mark, part, at(mark), heights[index])).join(''),
  }));
  return (
    <svg class="past-marks" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {parts.map(({ part, path }) => (
        <path key={part} class={part} d={path} />
      ))}
    </svg>
  );
}

function lineOf(mark: Mark, part: 'added' | 'changed' | 'deleted', x: number, fraction: number): string {
  if (mark[part] === 0) return '';
  const unit = (fraction * height) / (mark.added + mark.changed + mark.deleted);
  const below = { deleted: 0, added: mark.deleted, changed: mark.deleted + mark.added }[part] * unit;
  const top = height - below;
  return `M${x.toFixed(1)} ${top.toFixed(1)}V${(top - mark[part] * unit).toFixed(1)}`;
}
