// A small line over time.

import { linePath } from '../model/usage.ts';

const size = { width: 120, height: 26 };

interface Props {
  readonly values: readonly { readonly atMs: number; readonly value: number }[];
  /** The value at the upper edge; default: the highest. */
  readonly top?: number;
  readonly label: string;
}

export function Sparkline({ values, top, label }: Props) {
  const highest = top ?? Math.max(...values.map(({ value }) => value), 1e-9) * 1.1;
  const line = linePath(values, { ...size, top: highest });
  return (
    <svg class="sparkline" viewBox={`0 0 ${size.width} ${size.height}`} preserveAspectRatio="none" role="img">
      <title>{label}</title>
      {line && (
        <>
          <path class="sparkline-area" d={`${line}L${size.width} ${size.height}L0 ${size.height}Z`} />
          <path class="sparkline-line" d={line} />
        </>
      )}
    </svg>
  );
}
