// Content negotiation. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-representations

import type { ApiError } from '../../api/api.ts';
import { protobufMediaType } from '../protobuf/protobuf.ts';
import { failure } from '../status.ts';

/** A representation other than the object itself, as in `as=Table;v=v1;g=meta.k8s.io`. */
export interface As {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
}

export interface Accepted {
  readonly format: 'json' | 'yaml' | 'protobuf';
  readonly as?: As;
  readonly pretty?: boolean;
}

interface Clause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

/** Clauses that are read: a header may have hundreds of thousands. */
const mostClauses = 100;

/**
 * Clauses by falling quality and then those without a wildcard, in the order of Kubernetes' parser (goautoneg): a
 * clause without a wildcard comes before one with it even when its quality is lower.
 */
export function acceptedClauses(accept: string): Clause[] {
  const clauses = accept.split(',', mostClauses).flatMap((text) => clauseOf(text) ?? []);
  for (let end = 1; end < clauses.length; end++)
    for (let i = end; i > 0 && isBefore(clauses[i], clauses[i - 1]); i--)
      [clauses[i - 1], clauses[i]] = [clauses[i], clauses[i - 1]];
  return clauses;
}

const isBefore = (a: Clause, b: Clause): boolean =>
  a.quality > b.quality ||
  (!a.type.startsWith('*/') && b.type.startsWith('*/')) ||
  (!a.type.endsWith('/*') && b.type.endsWith('/*'));

/** Undefined for a text that is no media type. */
function clauseOf(text: string): Clause | undefined {
  const [given, ...rest] = text.split(';');
  const parts = given.split('/').map((part) => part.trim());
  const type = parts[0] === '*' && !parts[1] ? '*/*' : parts.join('/');
  if (!/^[^/]*\/[^/]+$/.test(type)) return undefined;
  const parameters: Record<string, string> = {};
  let quality = 1;
  for (const parameter of rest) {
    const [name, value, more] = parameter.split('=');
    if (!value || more) continue;
    if (name.trim() === 'q') quality = /^\d*\.?\d+$/.test(value) ? Number(value) : 0;
    else parameters[name.trim()] = value.trim();
  }
  return { type, parameters, quality };
}

const formats: Readonly<Record<string, Accepted['format']>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  [protobufMediaType]: 'protobuf',
  '*/*': 'json',
};

/** The first accepted form of a discovery document; throws 406 where all that are accepted are others. */
export function discoveryForm(accept: string | undefined): Accepted & { readonly profile?: string } {
  let isOther = false;
  for (const { type, parameters } of acceptedClauses(accept ?? '')) {
    const format = type === 'application/*' ? 'json' : formats[type];
    if (!format) continue;
    const { as: kind, g: group, v: version, profile } = parameters;
    if (!kind) return { format };
    // 1.36 does not serve v2beta1.
    isOther = kind !== 'APIGroupDiscoveryList' || group !== 'apidiscovery.k8s.io' || version !== 'v2';
    if (!isOther) return { format, as: { kind, group, version }, ...(profile && { profile }) };
  }
  if (isOther) throw notAcceptableAs();
  return json;
}

/** The result of `find` for the first clause with one; a client without an Accept header gets JSON. */
export function firstAccepted<T>(accept: string | undefined, find: (type: string) => T | undefined): T | undefined {
  for (const { type } of acceptedClauses(accept || 'application/json')) {
    const found = find(type === '*/*' || type === 'application/*' ? 'application/json' : type);
    if (found !== undefined) return found;
  }
  return undefined;
}

const representations = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);

/** The form of a watch, which has none in YAML. Throws a 406. */
export function negotiateStream(accept: string | undefined, hasProtobuf: () => boolean): Accepted {
  const accepted = negotiate(accept, hasProtobuf);
  if (accepted.format !== 'yaml') return accepted;
  const types = ['application/json;stream=watch', ...(hasProtobuf() ? [`${protobufMediaType};stream=watch`] : [])];
  throw failure(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}

/**
 * The first supported clause; throws 406 without one. `hasProtobuf`: the response has a protobuf form. `isOne`: the path
 * is that of one object, and never of a watch.
 */
export function negotiate(accept: string | undefined, hasProtobuf: () => boolean, isOne = false): Accepted {
  if (!accept || accept === 'application/json' || accept === '*/*') return json;
  let hasFormat = false;
  let first: Accepted | undefined;
  for (const { type, parameters } of acceptedClauses(accept)) {
    const format = type === 'application/*' ? 'json' : formats[type];
    if (!format) continue;
    // Kubernetes' router wants a type that it knows, and only then reads the others.
    if (type !== 'application/*') hasFormat = true;
    const isPossible = format !== 'protobuf' || (parameters.as !== 'Table' && hasProtobuf());
    if (isPossible) first ??= acceptedForm(format, parameters);
    if (hasFormat && first) return first;
  }
  throw hasFormat ? notAcceptableAs(hasProtobuf()) : notAcceptable(isOne);
}

/** Undefined for parameters that are not supported. */
function acceptedForm(format: Accepted['format'], parameters: Clause['parameters']): Accepted | undefined {
  const { as: kind = '', g: group = '', v: version = '', stream = 'watch', sv = 'v1', pretty } = parameters;
  if (stream !== 'watch' || sv !== 'v1') return undefined;
  const form = { format, ...(pretty === '1' && { pretty: true }) };
  if (!kind && !group && !version) return form;
  if (!representations.has(kind) || group !== 'meta.k8s.io') return undefined;
  return version === 'v1' || version === 'v1beta1' ? { ...form, as: { kind, group, version } } : undefined;
}

const json: Accepted = { format: 'json' };

export const notAcceptableAs = (hasProtobuf = true): ApiError => {
  const types = ['application/json', 'application/yaml', ...(hasProtobuf ? [protobufMediaType] : [])];
  return failure(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
};

const notAcceptable = (isOne: boolean): ApiError => {
  const types = ['application/json', 'application/yaml', protobufMediaType];
  const streams = isOne ? [] : ['application/json;stream=watch', `${protobufMediaType};stream=watch`];
  const text = `406: Not Acceptable\n\nAvailable representations: ${[...types, ...streams].join(', ')}`;
  return failure(406, 'NotAcceptable', text, {});
};
