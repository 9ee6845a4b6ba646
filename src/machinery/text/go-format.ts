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

/** A JSON value as Go's %#v prints it: `map[string]interface {}{"a":1}`. */
export function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (typeof value === 'object') {
    const fields = fieldsOf(value);
    const entries = Object.keys(fields)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${goSyntax(fields[key])}`);
    return `map[string]interface {}{${entries.join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** The type of a decoded JSON value, as Go's %T prints it. */
export function goTypeName(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int64';
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}
