// A CustomResourceDefinition makes kinds like any other: the same interface, from the definition's schema.

import { age } from '../age.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue } from '../fields.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../generated/types.ts';
import type { ApiObject, Column, Kind, Strategy, SubresourceInfo, Verb } from '../kind.ts';
import { builtinKinds } from '../registry.ts';
import { formatTime } from '../time.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from '../validation/metadata.ts';
import { evaluate, parseJsonPath } from './json-path.ts';
import { applyDefaults } from './prune.ts';
import { validateRules } from './rules.ts';
import { rootSchema } from './schema.ts';
import { validateCustom } from './validate.ts';

const verbs: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** One kind for each served version. */
export function customKinds(crd: CustomResourceDefinition): Kind[] {
  return crd.spec.versions.filter(({ served }) => served).map((version) => customKind(crd, version));
}

function customKind({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): Kind {
  const { group, names } = spec;
  const storageVersion = spec.versions.find(({ storage }) => storage)?.name ?? version.name;
  const schema = rootSchema(version.schema?.openAPIV3Schema);
  const { columns, cells } = columnsOf(version);
  const scale = version.subresources?.scale;
  const inVersion = (name: string) => (object: ApiObject) => ({ ...object, apiVersion: `${group}/${name}` });
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
    strategy: strategyOf(names.kind, group, version, schema),
    columns,
    cells,
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => {
        const read = reader(jsonPath);
        return [jsonPath.replace(/^\./, ''), (object: ApiObject) => String(read(object)[0] ?? '')];
      }),
    ),
    hasGeneration: true,
    storageVersion,
    storagePrefix: `${group}/${names.plural}`,
    // Without a conversion webhook versions differ in nothing but their name.
    ...(version.name !== storageVersion && {
      toStorage: inVersion(storageVersion),
      fromStorage: inVersion(version.name),
    }),
    ...(scale && { scalePaths: scale }),
    custom: true,
    virtual: false,
  };
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

function strategyOf(
  kind: string,
  group: string,
  version: CustomResourceDefinitionVersion,
  schema: ReturnType<typeof rootSchema>,
): Strategy {
  // New objects, until they are validated: only then nothing is older.
  const fresh = new WeakSet<ApiObject>();
  /** Rules are not asked about values whose shape is wrong. */
  const sound = new WeakSet<ApiObject>();
  const validate = (object: ApiObject): FieldError[] => {
    const faults = validateCustom(schema, object);
    if (!faults.length) sound.add(object);
    return [
      ...validateObjectMeta(object.metadata),
      ...(object.kind === kind ? [] : [invalidValue('kind', object.kind, `must be ${kind}`)]),
      ...faults,
      ...(sound.has(object) && fresh.has(object) ? validateRules(schema, object, undefined) : []),
    ];
  };
  const validateUpdate = (next: ApiObject, old: ApiObject) => [
    ...validateObjectMetaUpdate(next.metadata, old.metadata),
    ...(sound.has(next) ? validateRules(schema, next, old) : []),
  ];
  return {
    allowUnconditionalUpdate: false,
    setDefaults: (object) => applyDefaults(schema, object),
    prepareForCreate(object) {
      fresh.add(object);
      if (version.subresources?.status) delete object.status;
    },
    validate,
    validateUpdate,
    ...(version.deprecated && {
      warnings: () => [version.deprecationWarning ?? `${group}/${version.name} ${kind} is deprecated`],
    }),
    ...(version.subresources?.status && { subresources: { status: { validate, validateUpdate } } }),
  };
}

/** Name comes first; a definition without columns shows the age. */
function columnsOf(version: CustomResourceDefinitionVersion): Pick<Kind, 'columns' | 'cells'> {
  const common = builtinKinds().find(({ resource }) => resource === 'configmaps')!.columns;
  const described = (name: string) => common.find((column) => column.name === name)?.description ?? '';
  const own = version.additionalPrinterColumns ?? [
    { name: 'Age', type: 'date', description: described('Age'), jsonPath: '.metadata.creationTimestamp' },
  ];
  const columns: Column[] = [
    { name: 'Name', type: 'string', format: 'name', description: described('Name'), priority: 0 },
    ...own.map(({ name, type, format, description, priority, jsonPath }) => ({
      name,
      type,
      format: format ?? '',
      description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority: priority ?? 0,
    })),
  ];
  const readers = own.map(({ jsonPath, type }) => {
    const read = reader(jsonPath);
    return (object: ApiObject, now: number) => cellOf(type, read(object), now);
  });
  return { columns, cells: (object, now) => [object.metadata.name, ...readers.map((read) => read(object, now))] };
}

/** A path that cannot be read finds nothing: the definition has been stored, and its kinds must be served. */
function reader(jsonPath: string): (object: ApiObject) => unknown[] {
  try {
    const steps = parseJsonPath(jsonPath);
    return (object) => evaluate(steps, object);
  } catch {
    return () => [];
  }
}

function cellOf(type: string, values: readonly unknown[], now: number): unknown {
  if (!values.length) return type === 'date' ? '<unknown>' : null;
  const [value] = values;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? age(value, now) : '<invalid>';
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}

/**
 * The status of a definition whose names nobody else has: from then on its kinds are served. `now` is in milliseconds.
 * https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
 */
export function acceptedStatus(
  crd: CustomResourceDefinition,
  now: number,
): NonNullable<CustomResourceDefinition['status']> {
  const lastTransitionTime = formatTime(now);
  const condition = (type: string, reason: string, message: string) => {
    const before = crd.status?.conditions?.find((c) => c.type === type && c.status === 'True');
    return before ?? { type, status: 'True' as const, lastTransitionTime, reason, message };
  };
  const mine = ['NamesAccepted', 'Established'];
  return {
    ...crd.status,
    conditions: [
      ...(crd.status?.conditions ?? []).filter(({ type }) => !mine.includes(type)),
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    acceptedNames: crd.spec.names,
    storedVersions: crd.status?.storedVersions ?? [],
  } as NonNullable<CustomResourceDefinition['status']>;
}
