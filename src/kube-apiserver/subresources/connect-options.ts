// The options object of a connection: the object of admission for a request without a body.

import { type ApiObject, badRequest, type ConnectionField } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import type { Target } from '../registry/operation.ts';
import type { ApiRequest } from '../request/request.ts';

/** Throws a 400 for a query that cannot be read. */
export function connectOptions({ kind, subresource }: Target, { query, info }: ApiRequest): ApiObject {
  const { type: options, fields } = must(kind.connections?.[subresource], 'connection');
  const values = Object.entries(fields).map(([field, type]) => [
    field,
    type === 'path' ? info.rest : readAs(query.getAll(field), type),
  ]);
  // An exec has a command even when that is empty.
  const given = values.filter(([field, value]) => value || field === 'command');
  return { kind: options, apiVersion: 'v1', ...Object.fromEntries(given) } as ApiObject;
}

const isOn = (value: string): boolean => value !== '0' && value.toLowerCase() !== 'false';

function readAs(values: readonly string[], type: Exclude<ConnectionField, 'path'>): unknown {
  if (!values.length) return type === 'texts' ? null : undefined;
  if (type === 'flag') return isOn(values[0]);
  if (type === 'text') return values[0];
  return type === 'texts' ? values : values.flatMap((value) => value.split(',')).map(portOf);
}

const mostPort = 65_535;

function portOf(text: string): number {
  const fail = (why: string) =>
    badRequest(`cannot convert to []int32: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`);
  if (!/^\d+$/.test(text)) throw fail('invalid syntax');
  const port = Number(text);
  if (port > mostPort) throw fail('value out of range');
  return port;
}
