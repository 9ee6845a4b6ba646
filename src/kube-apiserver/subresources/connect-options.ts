// The options object of a connection: the object of admission for a request without a body.

import { type ApiObject, badRequest } from '../../api/api.ts';
import type { Target } from '../registry/operation.ts';
import type { ApiRequest } from '../request.ts';

type Field = 'flag' | 'text' | 'texts' | 'ports' | 'path';
interface Options {
  readonly kind: string;
  /** In the order in which Kubernetes writes them. */
  readonly fields: Readonly<Record<string, Field>>;
}

const streams = { stdin: 'flag', stdout: 'flag', stderr: 'flag', tty: 'flag', container: 'text' } as const;
const optionsOf: Readonly<Record<string, Options>> = {
  'pods/exec': { kind: 'PodExecOptions', fields: { ...streams, command: 'texts' } },
  'pods/attach': { kind: 'PodAttachOptions', fields: streams },
  'pods/portforward': { kind: 'PodPortForwardOptions', fields: { ports: 'ports' } },
  'pods/proxy': { kind: 'PodProxyOptions', fields: { path: 'path' } },
  'services/proxy': { kind: 'ServiceProxyOptions', fields: { path: 'path' } },
  'nodes/proxy': { kind: 'NodeProxyOptions', fields: { path: 'path' } },
};

/** Throws a 400 for a query that cannot be read. */
export function connectOptions({ kind, subresource }: Target, { query, info }: ApiRequest): ApiObject {
  const { kind: name, fields } = optionsOf[`${kind.resource}/${subresource}`];
  const values = Object.entries(fields).map(([field, type]) => [
    field,
    type === 'path' ? info.rest : readAs(query.getAll(field), type),
  ]);
  // An exec has a command even when that is empty.
  const given = values.filter(([field, value]) => value || field === 'command');
  return { kind: name, apiVersion: 'v1', ...Object.fromEntries(given) } as ApiObject;
}

const isOn = (value: string): boolean => value !== '0' && value.toLowerCase() !== 'false';

function readAs(values: readonly string[], type: Exclude<Field, 'path'>): unknown {
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
