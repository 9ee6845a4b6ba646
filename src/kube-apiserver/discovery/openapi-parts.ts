// The parts of an OpenAPI document that come from a set of kinds: paths, schemas, shared parameters.

import { allSchemas, type Documentation, type Kind, type Schema, schemaKinds } from '../../api/api.ts';
import { publishedList, publishedSchema } from './custom-schema.ts';
import { pathItem, type SharedParameters } from './openapi-paths.ts';
import { namedSchema, type OpenApiVersion } from './openapi-schema.ts';
import { operationsOf, type PathItem } from './operations.ts';

export interface Parts {
  readonly paths: Record<string, object>;
  readonly schemas: Record<string, object>;
  readonly parameters: SharedParameters;
}

export const emptyParts = (): Parts => ({ paths: {}, schemas: {}, parameters: {} });

/** Name of a type; those of custom resources are made of group (reversed), version and kind. */
export function typeName(group: string, version: string, kind: string): string {
  const schemaName = schemaKinds()[`${group}/${version}/${kind}`];
  return schemaName ?? `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

/** Adds one kind: its paths, its schemas and all that these refer to. */
export function addKind(parts: Parts, kind: Kind, version: OpenApiVersion, docs: Documentation): void {
  if (kind.custom) {
    const name = typeName(kind.group, kind.version, kind.kind);
    parts.schemas[name] = publishedSchema(kind, version);
    parts.schemas[typeName(kind.group, kind.version, kind.listKind)] = publishedList(kind, name, version);
  }
  for (const item of operationsOf(kind, typeName)) addPath(parts, item, version, docs);
  if (kind.custom) for (const name of alwaysUsed) addSchema(parts, name, version, docs);
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const alwaysUsed = [`${meta}.ObjectMeta`, `${meta}.ListMeta`];

export function addPath(parts: Parts, item: PathItem, version: OpenApiVersion, docs: Documentation): void {
  parts.paths[item.path] = pathItem(item, version, docs, parts.parameters);
  for (const { body, answers } of item.operations)
    for (const type of [body?.type, ...Object.values(answers)]) if (type) addSchema(parts, type, version, docs);
}

/** Adds a published type and the types that it refers to. */
function addSchema(parts: Parts, name: string, version: OpenApiVersion, docs: Documentation): void {
  const all = allSchemas();
  const waiting = new Set([name]);
  for (const next of waiting) {
    const schema: Schema | undefined = all[next];
    if (!schema || parts.schemas[next]) continue;
    const shape = namedSchema(schema, version, waiting, docs[next]);
    const types = typesOf(next);
    parts.schemas[next] = types ? { ...shape, 'x-kubernetes-group-version-kind': types } : shape;
  }
}

/** These belong to every group and version. */
const ofEveryGroup = ['DeleteOptions', 'WatchEvent'];

export function nameGroups(parts: Parts, versions: ReadonlyMap<string, readonly string[]>): void {
  for (const kind of ofEveryGroup) {
    const schema = parts.schemas[`${meta}.${kind}`];
    const types = [...versions].flatMap(([group, list]) => list.map((version) => ({ group, kind, version })));
    const own = versions.has('') ? types : [{ group: '', kind, version: 'v1' }, ...types];
    if (schema) parts.schemas[`${meta}.${kind}`] = { ...schema, 'x-kubernetes-group-version-kind': own };
  }
}

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

export const sortedByName = <T>(map: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
