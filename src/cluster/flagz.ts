import type { RunConfig } from './config.ts';
import { settings } from './settings/settings.ts';

/** The options of a running cluster with their values, as /flagz shows them. Without a value: ''. */
export function shownOptions({ nodeNames, ...config }: RunConfig): Readonly<Record<string, string>> {
  const values: Readonly<Record<string, unknown>> = { ...config, nodes: nodeNames.length };
  return Object.fromEntries(Object.entries(settings).map(([name, { flag }]) => [flag, textOf(values[name])]));
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `[${value.join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, one]) => `${key}<${one}`)
    .join(',');
}
