// A CustomResourceDefinition makes kinds like any other: the same interface, from the definition's schema.

import type { Schema } from '../../machinery/schema.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, ObjectMeta } from '../generated/types.ts';
import type { ApiObject, Kind, SubresourceInfo, Verb } from '../kind.ts';
import { comparePriority } from '../version-priority.ts';
import { columnsOf } from './columns.ts';
import { applyDefaultsThatFit } from './defaults.ts';
import { readJsonPath } from './json-path.ts';
import { pruneCustom } from './prune.ts';
import { customSchema, rootSchema } from './schema.ts';
import { customStrategy, type Timed } from './strategy.ts';

const verbs: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** Converts objects to an apiVersion; resolves with as many, in the same order. */
export type ObjectConverter = (objects: readonly ApiObject[], apiVersion: string) => Promise<readonly ApiObject[]>;

/** One kind for each served version. Without a converter, versions differ in their names and schemas alone. */
export function customKinds(crd: CustomResourceDefinition, converter?: ObjectConverter, timed?: Timed): Kind[] {
  const versions = new Versions(crd, converter);
  return crd.spec.versions.filter(({ served }) => served).map((version) => customKind(crd, version, versions, timed));
}

/** The versions of one definition, and the conversion between them: by name only, skipping absent versions. */
class Versions {
  readonly storage: string;
  readonly #group: string;
  readonly #schemas = new Map<string, Schema>();
  readonly #converter: ObjectConverter | undefined;
  /** Converted objects, by version. */
  readonly #converted = new WeakMap<object, Map<string, ApiObject>>();

  constructor({ spec }: CustomResourceDefinition, converter: ObjectConverter | undefined) {
    this.#converter = converter;
    this.#group = spec.group;
    this.storage = spec.versions.find(({ storage }) => storage)?.name ?? spec.versions[0]?.name ?? '';
    for (const { name, schema } of spec.versions)
      this.#schemas.set(`${spec.group}/${name}`, rootSchema(schema?.openAPIV3Schema));
  }

  schema(version: string): Schema {
    return this.#schemas.get(`${this.#group}/${version}`) ?? {};
  }

  /** The stored object, decoded by the current schema of its version. */
  read(object: ApiObject): ApiObject {
    const schema = this.#schemas.get(object.apiVersion ?? '');
    if (!schema) return object;
    const read = pruneCustom(schema, object, true).object;
    read.metadata ??= {} as ObjectMeta;
    applyDefaultsThatFit(schema, read);
    return read;
  }

  get hasConverter(): boolean {
    return this.#converter !== undefined;
  }

  async prepare(objects: readonly ApiObject[], version: string): Promise<void> {
    const apiVersion = `${this.#group}/${version}`;
    const due = objects.filter(
      (object) => object.apiVersion !== apiVersion && !this.#converted.get(object)?.has(version),
    );
    if (due.length === 0 || !this.#converter) return;
    const converted = await this.#converter(due, apiVersion);
    for (const [i, object] of due.entries()) {
      const versions = this.#converted.get(object) ?? new Map<string, ApiObject>();
      this.#converted.set(object, versions.set(version, pruneCustom(this.schema(version), converted[i], true).object));
    }
  }

  convert(object: ApiObject, version: string): ApiObject {
    const apiVersion = `${this.#group}/${version}`;
    if (object.apiVersion === apiVersion) return object;
    if (this.#converter) {
      const converted = this.#converted.get(object)?.get(version);
      if (!converted) throw new Error(`no conversion to ${apiVersion} was prepared`);
      return converted;
    }
    return pruneCustom(this.schema(version), { ...object, apiVersion }, true).object;
  }
}

function customKind(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  versions: Versions,
  timed: Timed | undefined,
): Kind {
  const { spec } = crd;
  const { group, names } = spec;
  const schema = versions.schema(version.name);
  const { columns, cells } = columnsOf(version);
  const scale = version.subresources?.scale;
  return {
    group,
    version: version.name,
    resource: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    namespaced: spec.scope === 'Namespaced',
    verbs,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: subresourcesOf(group, version, names.kind),
    schema,
    openApi: version.schema?.openAPIV3Schema,
    strategy: customStrategy({
      group,
      kind: names.kind,
      version,
      schema,
      checked: customSchema(version.schema?.openAPIV3Schema),
      ...(timed && { timed }),
    }),
    columns,
    cells,
    selectableFields: selectableFieldsOf(version),
    hasGeneration: true,
    storageVersion: versions.storage,
    storagePrefix: `${group}/${names.plural}`,
    readStored: (object) => versions.read(object),
    ...(version.name !== versions.storage && {
      toStorage: (object: ApiObject) => versions.convert(object, versions.storage),
    }),
    // An object may still be stored in another version than the one that is stored now.
    ...(spec.versions.length > 1 && { fromStorage: (object: ApiObject) => versions.convert(object, version.name) }),
    ...(versions.hasConverter && {
      prepareConversion: (objects: readonly ApiObject[], to: string) => versions.prepare(objects, to),
    }),
    ...(scale && { scalePaths: scale }),
    ...(version.deprecated && { deprecation: deprecationOf(crd, version) }),
    custom: true,
    definition: crd,
    virtual: false,
  };
}

const selectableFieldsOf = ({ selectableFields = [] }: CustomResourceDefinitionVersion): Kind['selectableFields'] =>
  Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const read = readJsonPath(jsonPath);
      return [jsonPath.replace(/^\./, ''), (object: ApiObject) => String(read?.(object)[0] ?? '')];
    }),
  );

/** Names the newest version that is not deprecated, if it is newer. */
function deprecationOf({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): string {
  const { group, names, versions } = spec;
  if (version.deprecationWarning) return version.deprecationWarning;
  const text = `${group}/${version.name} ${names.kind} is deprecated`;
  const newer = versions
    .filter(({ name, served, deprecated }) => served && !deprecated && comparePriority(name, version.name) < 0)
    .sort((a, b) => comparePriority(a.name, b.name));
  return newer.length ? `${text}; use ${group}/${newer[0].name} ${names.kind}` : text;
}

function subresourcesOf(
  group: string,
  { name, subresources }: CustomResourceDefinitionVersion,
  kind: string,
): SubresourceInfo[] {
  const read = ['get', 'patch', 'update'];
  return [
    ...(subresources?.status ? [{ name: 'status', verbs: read, kind: { group, version: name, kind } }] : []),
    ...(subresources?.scale
      ? [{ name: 'scale', verbs: read, kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } }]
      : []),
  ];
}
