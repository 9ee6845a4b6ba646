// /openapi/v3, one document per group version, and /openapi/v2, a single document; as JSON or protobuf.

import { createHash } from 'node:crypto';
import { type Documentation, documentation, type Kind, type KindRegistry, kubernetesVersion } from '../../api/api.ts';
import { firstAccepted, notAcceptableAs } from '../http/media-type.ts';
import { type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { preparePublished } from './custom-schema.ts';
import { generalOperations } from './general-operations.ts';
import { encodeMessage } from './gnostic.ts';
import { documentMessage } from './gnostic-v3.ts';
import { addKind, addPath, emptyParts, nameGroups, sortedByName } from './openapi-parts.ts';
import { jsonFormat, protobufFormat, Sections } from './openapi-v2.ts';

const json = 'application/json';
const protobufV2 = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const protobufV3 = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf';
/** The same types under names that are media types by the letter. */
const aliases: Readonly<Record<string, string>> = {
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf': protobufV2,
  'application/com.github.proto-openapi.spec.v3.v1.0+protobuf': protobufV3,
};

interface Document {
  readonly body: Buffer;
  readonly etag: string;
}

/** Documents by path and media type, for as long as the kinds are the same. */
interface Documents {
  index?: string;
  readonly made: Map<string, Promise<Document>>;
}

const documents = new WeakMap<KindRegistry, Documents>();
const jsonSections = new Sections(jsonFormat);
const protobufSections = new Sections(protobufFormat);

function documentsOf(kinds: KindRegistry): Documents {
  let cached = documents.get(kinds);
  if (!cached) {
    const made: Documents = { made: new Map() };
    documents.set(kinds, (cached = made));
    kinds.onChange(() => {
      made.index = undefined;
      made.made.clear();
    });
  }
  return cached;
}

/** Undefined when there is no such document. */
export async function openapiReply(request: ApiRequest, path: string): Promise<Reply | undefined> {
  const { kinds } = request.server;
  const cached = documentsOf(kinds);
  if (path === '/openapi/v3') return textReply(200, (cached.index ??= JSON.stringify(index(kinds))), json);
  if (path === '/openapi/v2') {
    const type = typeOf(request, protobufV2);
    return documentReply(request, cached, `${path} ${type}`, type, (docs) =>
      (type === json ? jsonSections : protobufSections).document(kinds, docs),
    );
  }
  const match = /^\/openapi\/v3\/(?:api\/(v[^/]+)|apis\/([^/]+)\/([^/]+))$/.exec(path);
  if (!match) return undefined;
  const [, core, group = '', version] = match;
  const of = kinds.all().filter((kind) => kind.group === group && kind.version === (core ?? version));
  if (!of.length) return undefined;
  const hash = hashOf(of);
  const asked = request.query.get('hash');
  // Redirects a client with an older hash to the current document.
  if (asked && asked !== hash)
    return {
      type: 'raw',
      code: 301,
      body: '',
      contentType: 'text/html',
      headers: { Location: `${path}?hash=${hash}` },
    };
  const type = typeOf(request, protobufV3);
  const reply = await documentReply(request, cached, `${path} ${type}`, type, async (docs) => {
    for (const kind of of) await preparePublished(kind, 3);
    return version3(of, type, docs);
  });
  return asked ? { ...reply, headers: { ...reply.headers, ...cachedForEver } } : reply;
}

/** A document under its hash never changes. */
const cachedForEver = { 'Cache-Control': 'public', Expires: 'Thu, 31 Dec 2099 23:59:59 GMT' };

/** JSON, or protobuf if the client prefers it. Throws 406 for other types. */
function typeOf({ headers }: ApiRequest, protobuf: string): string {
  const offers = [json, protobuf];
  const found = firstAccepted(headers.accept, (type) => offers.find((offer) => offer === (aliases[type] ?? type)));
  if (!found) throw notAcceptableAs();
  return found;
}

async function documentReply(
  { headers }: ApiRequest,
  cached: Documents,
  key: string,
  contentType: string,
  make: (docs: Documentation) => Promise<Buffer>,
): Promise<Reply> {
  let made = cached.made.get(key);
  if (!made) {
    made = documentation()
      .then(make)
      .then((body) => ({ body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }));
    cached.made.set(key, made);
    made.catch(() => cached.made.delete(key));
  }
  const { body, etag } = await made;
  const validators = { ETag: etag, Vary: 'Accept' };
  if (headers['if-none-match'] === etag)
    return { type: 'raw', code: 304, body: '', contentType: '', headers: validators };
  const type = contentType === json ? json : contentType.replace('@', '.');
  return { type: 'raw', code: 200, body, contentType: type, headers: validators };
}

const hashes = new WeakMap<Kind, string>();

/** By this hash clients see that their copy of a document is old. It follows from the kinds in the document. */
function hashOf(kinds: readonly Kind[]): string {
  const hash = createHash('sha512').update(kubernetesVersion.gitVersion);
  for (const kind of kinds) hash.update(partOf(kind));
  return hash.digest('hex').toUpperCase();
}

function partOf(kind: Kind): string {
  if (!kind.custom) return kind.resource;
  let part = hashes.get(kind);
  if (!part) {
    // Of the definition, which has all versions, `openApi` is the part of this one.
    const { columns: _, cells: __, strategy: ___, schema: ____, definition: _____, ...rest } = kind;
    hashes.set(kind, (part = createHash('sha256').update(JSON.stringify(rest)).digest('hex')));
  }
  return part;
}

function index(kinds: KindRegistry): object {
  const groups = new Map<string, Kind[]>();
  for (const kind of kinds.all()) {
    const path = kind.group ? `apis/${kind.group}/${kind.version}` : `api/${kind.version}`;
    const list = groups.get(path);
    if (list) list.push(kind);
    else groups.set(path, [kind]);
  }
  const paths: Record<string, object> = {};
  for (const [path, of] of groups) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(of)}` };
  return { paths };
}

function version3(kinds: readonly Kind[], type: string, docs: Documentation): Buffer {
  const parts = emptyParts();
  const [{ group, version }] = kinds;
  const custom = kinds.every((kind) => kind.custom);
  const own = `/${group ? `apis/${group}` : 'api'}/${version}/`;
  if (!custom)
    for (const item of generalOperations(new Map([[group, [version]]])))
      if (item.path === own) addPath(parts, item, 3, docs);
  for (const kind of kinds) addKind(parts, kind, 3, docs);
  nameGroups(parts, new Map([[group, [version]]]));
  const document = {
    openapi: '3.0.0',
    info: {
      title: custom ? 'Kubernetes CRD Swagger' : 'Kubernetes',
      version: custom ? 'v0.1.0' : kubernetesVersion.gitVersion,
    },
    paths: Object.fromEntries(sortedByName(parts.paths)),
    components: {
      schemas: Object.fromEntries(sortedByName(parts.schemas)),
      ...(!custom && {
        securitySchemes: {
          BearerToken: {
            type: 'apiKey',
            description: 'Bearer Token authentication',
            name: 'authorization',
            in: 'header',
          },
        },
      }),
    },
  };
  return type === json ? Buffer.from(JSON.stringify(document)) : encodeMessage(documentMessage, document);
}
