// The fields of the API server's internal types, by which messages print values: facts/internal.json as one text.
import { readFileSync, writeFileSync } from 'node:fs';

export function generateInternal(root: string): void {
  const { types } = JSON.parse(readFileSync(`${root}facts/internal.json`, 'utf8')) as { types: Record<string, string> };
  for (const [name, fields] of Object.entries(types))
    for (const [used] of fields.matchAll(/(?<=[:\]*])[a-z]+\.[A-Z]\w*/g))
      if (!(used in types))
        throw new Error(`facts/internal.json: ${name} has a field of type ${used}, which is not there`);
  writeFileSync(
    `${root}src/api/generated/internal.ts`,
    [
      '// Generated from facts/ by scripts/generate-internal.ts. Do not edit.',
      `export const internalText: string = ${JSON.stringify(JSON.stringify(types))};`,
      '',
    ].join('\n'),
  );
}
