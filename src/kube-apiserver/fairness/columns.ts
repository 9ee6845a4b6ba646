/** Rows as text: cells end with a comma and are padded to the width of their column, the last ones excepted. */
export function alignColumns(rows: readonly (readonly unknown[])[]): string {
  const texts = rows.map((row) => row.map((cell, i) => (i < row.length - 1 ? `${cell},` : String(cell))));
  const widths: number[] = [];
  for (const row of texts)
    for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 8, cell.length + 1);
  return texts
    .map((row) => `${row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell)).join('')}\n`)
    .join('');
}
