// Samples of a scrape in the Prometheus text format, of values that are measured at the scrape.

import { must } from '../../machinery/must.ts';

export type FamilyDescription = readonly [name: string, type: 'counter' | 'gauge', help: string];

/** Families without samples are omitted. */
export class Exposition {
  readonly #families: ReadonlyMap<string, { readonly head: string; readonly samples: string[] }>;

  constructor(families: readonly FamilyDescription[]) {
    this.#families = new Map(
      families.map(([name, type, help]) => [
        name,
        { head: `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, samples: [] },
      ]),
    );
  }

  /** `timeMs`: milliseconds since the epoch. */
  add(name: string, labels: Readonly<Record<string, string>>, value: number, timeMs?: number): void {
    const text = Object.entries(labels).map(([label, of]) => `${label}=${JSON.stringify(of)}`);
    const where = text.length > 0 ? `{${text.join(',')}}` : '';
    const time = timeMs === undefined ? '' : ` ${timeMs}`;
    must(this.#families.get(name), 'family').samples.push(`${name}${where} ${value}${time}\n`);
  }

  text(): string {
    return [...this.#families.values()]
      .filter(({ samples }) => samples.length > 0)
      .map(({ head, samples }) => head + samples.join(''))
      .join('');
  }
}
