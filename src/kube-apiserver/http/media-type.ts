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

/** Clauses by falling quality; the order of the text breaks ties. */
export function acceptedClauses(accept: string): Clause[] {
  return accept
    .split(',')
    .map((text) => {
      const [type, ...rest] = text.split(';').map((part) => part.trim());
      const parameters: Record<string, string> = {};
      for (const parameter of rest) {
        const [name, value = ''] = parameter.split('=');
        parameters[name.trim()] = value.trim();
      }
      return { type, parameters, quality: parameters.q === undefined ? 1 : Number(parameters.q) };
    })
    .filter(({ type }) => type)
    .sort((a, b) => b.quality - a.quality);
}

const formats: Readonly<Record<string, Accepted['format']>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  [protobufMediaType]: 'protobuf',
  '*/*': 'json',
};

/** The first accepted form of a discovery document. */
export function discoveryForm(accept: string | undefined): Accepted {
  for (const { type, parameters } of acceptedClauses(accept ?? '')) {
    const format = type === 'application/*' ? 'json' : formats[type];
    if (!format) continue;
    if (!parameters.as) return { format };
    const as = { kind: parameters.as, group: parameters.g ?? '', version: parameters.v ?? '' };
    if (as.kind === 'APIGroupDiscoveryList') return { format, as };
  }
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

/** The first supported clause; throws 406 without one. `hasProtobuf`: the response has a protobuf form. */
export function negotiate(accept: string | undefined, hasProtobuf: () => boolean): Accepted {
  if (!accept || accept === 'application/json' || accept === '*/*') return json;
  let hasFormat = false;
  for (const { type, parameters } of acceptedClauses(accept)) {
    const format = formats[type];
    if (!format) continue;
    hasFormat = true;
    if (format === 'protobuf' && (parameters.as === 'Table' || !hasProtobuf())) continue;
    const pretty = parameters.pretty === '1' || parameters.pretty === 'true' ? { pretty: true } : {};
    if (!parameters.as) return { format, ...pretty };
    const as = { kind: parameters.as, group: parameters.g ?? '', version: parameters.v ?? '' };
    if (representations.has(as.kind) && as.group === 'meta.k8s.io' && (as.version === 'v1' || as.version === 'v1beta1'))
      return { format, as, ...pretty };
  }
  throw hasFormat ? notAcceptableAs(hasProtobuf()) : notAcceptable();
}

const json: Accepted = { format: 'json' };

export const notAcceptableAs = (hasProtobuf = true): ApiError => {
  const types = ['application/json', 'application/yaml', ...(hasProtobuf ? [protobufMediaType] : [])];
  return failure(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
};

const notAcceptable = (): ApiError =>
  failure(
    406,
    'NotAcceptable',
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    {},
  );
