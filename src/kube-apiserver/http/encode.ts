// From a reply to bytes, in the representation that the client accepts.

import type { ApiObject, Kind } from '../../api/api.ts';
import { fieldsIn } from '../../machinery/parsed.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { encodeObject as encodeProtobuf, protobufMediaType, protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf, served, sharesBytes } from '../registry/codec.ts';
import type { ListReply, ObjectReply, RawReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { failure } from '../status.ts';
import { ItemBody, ListBody, remaining } from './list-body.ts';
import { type Accepted, type As, negotiate, notAcceptableAs } from './media-type.ts';
import { ProtobufList } from './protobuf-list.ts';
import { includeObject, partial, row, type TableOptions, table } from './table.ts';
import { LazyList, TextBody } from './text-body.ts';

export interface Encoded {
  readonly code: number;
  readonly contentType: string;
  readonly body: Uint8Array | string | ListBody | ItemBody | ProtobufList | TextBody;
}

/** The response format for this client; throws 406. `hasProtobuf`: the response has a protobuf form. */
export function acceptedBy(request: ApiRequest, hasProtobuf: () => boolean): Accepted {
  const accepted = negotiate(request.headers.accept, hasProtobuf);
  if (accepted.pretty) return accepted;
  const pretty = request.query.get('pretty');
  // The texts of Go's strconv.ParseBool; curl and browsers show the answer to people.
  const isPretty = pretty
    ? /^(1|t|T|true|TRUE|True)$/.test(pretty)
    : /^(curl|Wget|Mozilla\/5\.0)/.test(request.headers['user-agent'] ?? '');
  return isPretty ? { ...accepted, pretty: true } : accepted;
}

export function encodeObject(request: ApiRequest, reply: ObjectReply, accepted: Accepted): Encoded {
  const { code, kind, item } = reply;
  const object = reply.object as ApiObject;
  const { as } = accepted;
  // A Status is never converted. Reviews are responses, not objects for a table.
  if (as && !kind && /Review$/.test(object.kind ?? '')) throw notAcceptableAs();
  if (as && kind) {
    const shown = as.kind === 'Table' ? table(kind, [object], rowMeta(object), tableOptions(request, as)) : undefined;
    if (!shown && as.kind !== 'PartialObjectMetadata')
      throw notAcceptable(`you requested ${as.kind}, but the requested object is not a list (${goTypeOf(kind)})`);
    return whole(code, shown ?? partial(object, `meta.k8s.io/${as.version}`), accepted);
  }
  if (item && accepted.format === 'json' && !accepted.pretty)
    return { code, contentType: 'application/json', body: new ItemBody(item) };
  return whole(code, object, accepted);
}

const notAcceptable = (message: string) => failure(406, 'NotAcceptable', message);

/** Kubernetes' own type of an object. */
function goTypeOf({ group, kind, custom }: Kind, suffix = ''): string {
  if (custom) return `*unstructured.Unstructured${suffix}`;
  const isCore = group === '' || group === 'events.k8s.io';
  return `*${isCore ? 'core' : group.split('.')[0]}.${kind}${suffix}`;
}

const rowMeta = ({ metadata }: ApiObject) => ({ resourceVersion: metadata?.resourceVersion });

function tableOptions(request: ApiRequest, as: As): TableOptions {
  return { as, include: includeObject(request.query), now: request.server.clock.now(), columns: true };
}

export function encodeList(request: ApiRequest, reply: ListReply, accepted: Accepted): Encoded {
  const { code, kind, items, metadata } = reply;
  const { as } = accepted;
  if (as?.kind === 'Table') {
    const options = tableOptions(request, as);
    const rows = new LazyList(items.length, (index) => row(kind, served(kind, items[index]), options));
    const body = new TextBody({ ...table(kind, [], metadata, options), rows }, accepted);
    return { code, contentType: textType(accepted), body };
  }
  if (as) return metadataList(reply, as, accepted);
  if (accepted.format === 'protobuf') {
    const objects = new LazyList(items.length, (index) =>
      kind.fromStorage ? served(kind, items[index]) : items[index].peek(),
    );
    const type = { apiVersion: apiVersionOf(kind), kind: kind.kind, listKind: kind.listKind };
    return { code, contentType: protobufMediaType, body: new ProtobufList(type, objects, metadata) };
  }
  if (accepted.format === 'json' && !accepted.pretty && sharesBytes(kind))
    return { code, contentType: 'application/json', body: new ListBody(kind, items, metadata) };
  const objects = new LazyList(items.length, (index) => withoutType(kind, served(kind, items[index])));
  const list = { ...listObject({ ...reply, items: [] }), items: objects };
  return { code, contentType: textType(accepted), body: new TextBody(list, accepted) };
}

function metadataList({ code, kind, items, metadata }: ListReply, as: As, accepted: Accepted): Encoded {
  if (as.kind !== 'PartialObjectMetadataList')
    throw notAcceptable(`you requested ${as.kind}, but the requested object is a list (${goTypeOf(kind, 'List')})`);
  const apiVersion = `meta.k8s.io/${as.version}`;
  const partials = new LazyList(items.length, (index) => partial(served(kind, items[index]), apiVersion));
  if (accepted.format === 'protobuf') {
    const type = { apiVersion, kind: 'PartialObjectMetadata', listKind: as.kind };
    return { code, contentType: protobufMediaType, body: new ProtobufList(type, partials, metadata) };
  }
  const list = { kind: as.kind, apiVersion, metadata, items: items.length ? partials : null };
  return { code, contentType: textType(accepted), body: new TextBody(list, accepted) };
}

const textType = ({ format }: Accepted) => (format === 'yaml' ? 'application/yaml' : 'application/json');

/** The list as an object, its items as the kind's clients get them. */
export function listObject({ kind, items, metadata }: ListReply): object {
  const objects = items.map((item) => withoutType(kind, served(kind, item)));
  const apiVersion = apiVersionOf(kind);
  // Custom resources have sorted fields, also in lists, and always a continue field.
  if (kind.custom)
    return {
      apiVersion,
      items: objects,
      kind: kind.listKind,
      metadata: {
        continue: metadata.continue ?? '',
        ...remaining(metadata),
        resourceVersion: metadata.resourceVersion,
      },
    };
  return { kind: kind.listKind, apiVersion, metadata, items: objects };
}

/** The items of a list of built-in kinds do not repeat kind and apiVersion. */
function withoutType(custom: Kind, object: ApiObject): object {
  if (custom.custom) return object;
  const { kind: _, apiVersion: __, ...rest } = object;
  return rest;
}

function whole(code: number, object: object, accepted: Accepted): Encoded {
  if (accepted.format !== 'protobuf') return text(code, object, accepted);
  const schema = protobufSchema(object);
  if (!schema) throw notAcceptableAs(false);
  return { code, contentType: protobufMediaType, body: encodeProtobuf(schema, object) };
}

function text(code: number, object: object, accepted: Accepted): Encoded {
  const isCompact = accepted.format === 'json' && !accepted.pretty;
  const body = isCompact ? `${JSON.stringify(object)}\n` : new TextBody(object, accepted);
  return { code, contentType: textType(accepted), body };
}

/** A prepared document is sent unchanged, unless the client needs another format. */
export function encodeRaw(
  reply: RawReply & { negotiable?: boolean },
  accepted: () => Accepted,
): Encoded | Pick<RawReply, 'code' | 'contentType' | 'body'> {
  if (!reply.negotiable || typeof reply.body !== 'string') return reply;
  const { format, pretty } = formatOf(accepted);
  if (format === 'json' && !pretty) return reply;
  const encoded = text(reply.code, fieldsIn(parseExact(reply.body)), { format, ...(pretty && { pretty }) });
  return { ...encoded, contentType: format === 'json' ? reply.contentType : encoded.contentType };
}

/** The form was negotiated before: only the format is open. */
function formatOf(accepted: () => Accepted): Accepted {
  try {
    return accepted();
  } catch {
    return { format: 'json' };
  }
}
