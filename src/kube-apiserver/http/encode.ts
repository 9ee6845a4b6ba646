// From a reply to bytes, in the representation that the client accepts.

import { stringify } from 'yaml';
import type { ApiObject, Kind } from '../../api/api.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { encodeObject as encodeProtobuf, protobufMediaType, protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf, served, sharesBytes } from '../registry/codec.ts';
import type { ListReply, ObjectReply, RawReply } from '../reply.ts';
import type { ApiRequest } from '../request.ts';
import { ItemBody, ListBody, remaining } from './list-body.ts';
import { type Accepted, negotiate, notAcceptableAs } from './media-type.ts';
import { ProtobufList } from './protobuf-list.ts';
import { includeObject, partial, table } from './table.ts';
import { TextList } from './text-list.ts';

export interface Encoded {
  readonly code: number;
  readonly contentType: string;
  readonly body: Uint8Array | string | ListBody | ItemBody | ProtobufList | TextList;
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
    const shown = as.kind === 'Table' ? asTable(request, kind, [object], rowMeta(object), accepted) : undefined;
    if (!shown && as.kind !== 'PartialObjectMetadata') throw notAcceptableAs();
    return whole(code, shown ?? partial(object, `meta.k8s.io/${as.version}`), accepted);
  }
  if (item && accepted.format === 'json' && !accepted.pretty)
    return { code, contentType: 'application/json', body: new ItemBody(item) };
  return whole(code, object, accepted);
}

const rowMeta = ({ metadata }: ApiObject) => ({ resourceVersion: metadata?.resourceVersion });

function asTable(
  request: ApiRequest,
  kind: Kind,
  objects: readonly ApiObject[],
  metadata: object,
  { as }: Accepted,
): object {
  const include = includeObject(request.query);
  const now = request.server.clock.now();
  return table(kind, objects, metadata, { as: as as NonNullable<typeof as>, include, now, columns: true });
}

export function encodeList(request: ApiRequest, reply: ListReply, accepted: Accepted): Encoded {
  const { code, kind, items, metadata } = reply;
  const { as } = accepted;
  if (as) {
    const objects = items.map((item) => served(kind, item));
    if (as.kind === 'Table') {
      const { rows = [], ...frame } = asTable(request, kind, objects, metadata, accepted) as { rows?: object[] };
      const body = new TextList({ ...frame, rows: [] }, 'rows', rows.length, (index) => rows[index], accepted);
      return { code, contentType: textType(accepted), body };
    }
    if (as.kind !== 'PartialObjectMetadataList') throw notAcceptableAs();
    const apiVersion = `meta.k8s.io/${as.version}`;
    const partials = objects.map((object) => partial(object, apiVersion));
    return whole(code, { kind: 'PartialObjectMetadataList', apiVersion, metadata, items: partials }, accepted);
  }
  if (accepted.format === 'protobuf')
    return { code, contentType: protobufMediaType, body: new ProtobufList(kind, items, metadata) };
  if (accepted.format === 'json' && !accepted.pretty && sharesBytes(kind))
    return { code, contentType: 'application/json', body: new ListBody(kind, items, metadata) };
  const objectAt = (index: number) => withoutType(kind, served(kind, items[index]));
  const body = new TextList(listObject({ ...reply, items: [] }), 'items', items.length, objectAt, accepted);
  return { code, contentType: textType(accepted), body };
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

function text(code: number, object: unknown, { format, pretty }: Accepted): Encoded {
  if (format === 'yaml')
    return {
      code,
      contentType: 'application/yaml',
      body: stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
    };
  const body = pretty ? `${JSON.stringify(object, undefined, 2)}` : `${JSON.stringify(object)}\n`;
  return { code, contentType: 'application/json', body };
}

/** A prepared document is sent unchanged, unless the client needs another format. */
export function encodeRaw(reply: RawReply & { negotiable?: boolean }, accepted: () => Accepted): RawReply {
  if (!reply.negotiable || typeof reply.body !== 'string') return reply;
  const { format, pretty } = formatOf(accepted);
  if (format === 'json' && !pretty) return reply;
  const { contentType, body } = text(reply.code, parseExact(reply.body), { format, ...(pretty && { pretty }) });
  return { ...reply, contentType: format === 'json' ? reply.contentType : contentType, body: body as string };
}
/** The form was negotiated before: only the format is open. */
function formatOf(accepted: () => Accepted): Accepted {
  try {
    return accepted();
  } catch {
    return { format: 'json' };
  }
}
