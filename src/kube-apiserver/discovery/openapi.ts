// /openapi/v3, a document a group and version, and /openapi/v2, everything in one.

import { createHash } from 'node:crypto';
import {
  allSchemas,
  type Documentation,
  documentation,
  type Kind,
  type KindRegistry,
  type Schema,
  schemaKinds,
} from '../../api/api.ts';
import { notAcceptableAs } from '../http/media-type.ts';
import { type ApiRequest, type Reply, textReply } from '../request.ts';
import { kubernetesVersion } from '../version.ts';
import { pathsOf } from './openapi-paths.ts';
import { namedSchema, type OpenApiVersion } from './openapi-schema.ts';

const info = { title: 'Kubernetes', version: kubernetesVersion.gitVersion };
const securityText = 'Bearer Token authentication';

interface Documents {
  index?: string;
  readonly texts: Map<string, string>;
}

const documents = new WeakMap<KindRegistry, Documents>();

function documentsOf(kinds: KindRegistry): Documents {
  let known = documents.get(kinds);
  if (!known) {
    const made: Documents = { texts: new Map() };
    documents.set(kinds, (known = made));
    kinds.onChange(() => {
      made.index = undefined;
      made.texts.clear();
    });
  }
  return known;
}

/** Undefined for what is not there. */
export async function openapiReply({ server, headers }: ApiRequest, path: string): Promise<Reply | undefined> {
  const { kinds } = server;
  const known = documentsOf(kinds);
  if (path === '/openapi/v3') return textReply(200, (known.index ??= JSON.stringify(index(kinds))), 'application/json');
  if (path === '/openapi/v2') {
    // The protobuf form is not offered; clients that want only that go without (kubectl then asks for version 3).
    if (headers.accept && !/json|\*\/\*/.test(headers.accept)) throw notAcceptableAs();
    return textReply(200, await cached(known, path, (docs) => version2(kinds, docs)), 'application/json');
  }
  const match = /^\/openapi\/v3\/(?:api\/(v[^/]+)|apis\/([^/]+)\/([^/]+))$/.exec(path);
  if (!match) return undefined;
  const [, core, group, version] = match;
  const of = kinds.all().filter((kind) => kind.group === (group ?? '') && kind.version === (core ?? version));
  return of.length
    ? textReply(200, await cached(known, path, (docs) => version3(of, docs)), 'application/json')
    : undefined;
}

async function cached({ texts }: Documents, key: string, make: (docs: Documentation) => object): Promise<string> {
  const known = texts.get(key);
  if (known !== undefined) return known;
  const text = JSON.stringify(make(await documentation()));
  texts.set(key, text);
  return text;
}

/** The hash tells clients when a document that they keep is old; it follows from what the document is made of. */
function index(kinds: KindRegistry): object {
  const groups = new Map<string, Kind[]>();
  for (const kind of kinds.all()) {
    const path = kind.group ? `apis/${kind.group}/${kind.version}` : `api/${kind.version}`;
    groups.set(path, [...(groups.get(path) ?? []), kind]);
  }
  const paths: Record<string, object> = {};
  for (const [path, of] of groups) {
    const hash = createHash('sha256').update(info.version);
    for (const kind of of) hash.update(kind.custom ? JSON.stringify(kind.schema) : kind.resource);
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash.digest('hex').toUpperCase()}` };
  }
  return { paths };
}

/** Custom resources have no published name: group (reversed), version and kind make one. */
const nameOf = (kind: Kind): string =>
  kind.schema.name ?? `${kind.group.split('.').reverse().join('.')}.${kind.version}.${kind.kind}`;

let kindsOfSchemas: Map<string, object[]> | undefined;

/** Name of a schema -> the kinds that it is the shape of. */
function typesOf(name: string): object[] | undefined {
  if (!kindsOfSchemas) {
    kindsOfSchemas = new Map();
    for (const [key, of] of Object.entries(schemaKinds())) {
      const [group, version, kind] = key.split('/');
      const list = kindsOfSchemas.get(of);
      if (list) list.push({ group, kind, version });
      else kindsOfSchemas.set(of, [{ group, kind, version }]);
    }
  }
  return kindsOfSchemas.get(name);
}

/** The schemas of these kinds and of everything that they refer to. */
function schemasOf(kinds: readonly Kind[], version: OpenApiVersion, docs: Documentation): Record<string, object> {
  const all = allSchemas();
  const made: Record<string, object> = {};
  const waiting = new Set<string>();
  const add = (name: string, schema: Schema, types: object[] | undefined) => {
    const shape = namedSchema(schema, version, waiting, docs[name]);
    made[name] = types ? { ...shape, 'x-kubernetes-group-version-kind': types } : shape;
  };
  for (const kind of kinds) {
    const name = nameOf(kind);
    add(name, kind.schema, [{ group: kind.group, kind: kind.kind, version: kind.version }]);
    const list = schemaKinds()[`${kind.group}/${kind.version}/${kind.listKind}`];
    if (list) waiting.add(list);
  }
  waiting.add('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions');
  for (const name of waiting) if (!made[name] && all[name]) add(name, all[name], typesOf(name));
  return Object.fromEntries(Object.entries(made).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function allPaths(kinds: readonly Kind[], version: OpenApiVersion): object {
  const paths = kinds.flatMap((kind) => Object.entries(pathsOf(kind, { version, name: nameOf(kind) })));
  return Object.fromEntries(paths.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const version3 = (kinds: readonly Kind[], docs: Documentation): object => ({
  openapi: '3.0.0',
  info,
  paths: allPaths(kinds, 3),
  components: {
    schemas: schemasOf(kinds, 3, docs),
    securitySchemes: {
      BearerToken: { type: 'apiKey', description: securityText, name: 'authorization', in: 'header' },
    },
  },
});

const version2 = (kinds: KindRegistry, docs: Documentation): object => ({
  swagger: '2.0',
  info,
  paths: allPaths(kinds.all(), 2),
  definitions: schemasOf(kinds.all(), 2, docs),
  securityDefinitions: {
    BearerToken: { type: 'apiKey', description: securityText, name: 'authorization', in: 'header' },
  },
  security: [{ BearerToken: [] }],
});
