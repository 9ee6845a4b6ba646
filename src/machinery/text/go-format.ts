import { fieldsOf } from '../parsed.ts';

/** A JSON value as Go's %v prints it, which some of Kubernetes' messages quote: `map[a:1 b:[x y]]`. */
export function goFormat(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goFormat).join(' ')}]`;
  if (typeof value === 'object') {
    const fields = fieldsOf(value);
    const keys = Object.keys(fields).sort();
    return `map[${keys.map((key) => `${key}:${goFormat(fields[key])}`).join(' ')}]`;
  }
  return String(value);
}
