// The fields of the API server's internal types, by which messages print values: facts/internal.json as one text.
import { readFileSync, writeFileSync } from 'node:fs';

export function generateInternal(root: string): void {
  const { types } = JSON.parse(readFileSync(`${root}facts/internal.json`, 'utf8'));
  writeFileSync(
    `${root}src/api/generated/internal.ts`,
    [
      '// Generated from facts/ by scripts/generate-internal.ts. Do not edit.',
      `export const internalText: string = ${JSON.stringify(JSON.stringify(types))};`,
      '',
    ].join('\n'),
  );
}
