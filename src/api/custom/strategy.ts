// The strategy of custom resources, from the version's schema and subresources.

import { fieldsOf } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, sameValue } from '../fields.ts';
import type { CustomResourceDefinitionVersion } from '../generated/types.ts';
import type { ApiObject, Strategy } from '../kind.ts';
import { correlate, fieldOf } from './correlate.ts';
import { applyDefaults, applyingDefaults } from './defaults.ts';
import { validateEmbedded } from './embedded.ts';
import { validateListSets } from './list-sets.ts';
import { finalizerWarnings, validateCustomMeta, validateCustomMetaUpdate } from './metadata.ts';
import { isPrepared, prepareRules, validateRules } from './rules.ts';
import { validateScaleSpec, validateScaleStatus } from './scale.ts';
import { validateCustom, validateValue } from './validate.ts';

interface CustomVersion {
  readonly group: string;
  readonly kind: string;
  readonly version: CustomResourceDefinitionVersion;
  /** The object's shape, with kind, apiVersion and metadata. */
  readonly schema: Schema;
  /** The definition's schema, which may also restrict names. */
  readonly checked: Schema;
  /** Measures the work on rules. */
  readonly timed?: Timed;
}

export type Timed = <T>(part: 'compilation' | 'evaluation', work: () => T) => T;

export function customStrategy(custom: CustomVersion): Strategy {
  const { schema, version } = custom;
  const hasStatus = !!version.subresources?.status;
  // New objects before validation: they have no old value.
  const fresh = new WeakSet<ApiObject>();
  const ratcheted = new WeakMap<ApiObject, string[]>();
  const warnAbout = (object: ApiObject) => (text: string) =>
    void ratcheted.set(object, [...(ratcheted.get(object) ?? []), text]);
  const whole = {
    prepareForUpdate(next: ApiObject, old: ApiObject) {
      if (hasStatus) keepStatus(next, old);
      countChange(next, old);
    },
    // Updates are validated once, together with the old object.
    validate: (object: ApiObject) => (fresh.has(object) ? validateNew(custom, object) : []),
    validateUpdate: (next: ApiObject, old: ApiObject) => validateChange(custom, next, old, warnAbout(next)),
  };
  return {
    ...whole,
    allowUnconditionalUpdate: false,
    setDefaults: (object) => applyDefaults(schema, object),
    settingDefaults: (object) => applyingDefaults(schema, object),
    prepareForCreate(object) {
      fresh.add(object);
      if (hasStatus) delete object.status;
    },
    warnings: (object, old) => [...finalizerWarnings(object, old), ...(ratcheted.get(object) ?? [])],
    subresources: {
      scale: whole,
      ...(hasStatus && {
        status: {
          prepareForUpdate: keepAllButStatus,
          validateUpdate: (next: ApiObject, old: ApiObject) => validateStatus(custom, next, old, warnAbout(next)),
        },
      }),
    },
  };
}

/** Every change except metadata counts, including status without a status endpoint. */
function countChange(next: ApiObject, old: ApiObject): void {
  const { metadata: _, ...wanted } = next;
  const { metadata: __, ...before } = old;
  if (!sameValue(wanted, before)) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

function keepStatus(next: ApiObject, old: ApiObject): void {
  if (old.status === undefined) delete next.status;
  else next.status = old.status;
}

/** /status changes only the status, not labels or annotations. Types are checked later. */
function keepAllButStatus(next: ApiObject, old: ApiObject): void {
  const given = new Set(['apiVersion', 'kind', 'metadata', 'status']);
  const fields = fieldsOf(next);
  for (const field of Object.keys(fields)) if (!given.has(field)) delete fields[field];
  for (const [field, value] of Object.entries(old)) if (!given.has(field)) fields[field] = value;
  const { resourceVersion } = next.metadata;
  next.metadata = { ...old.metadata, resourceVersion };
}

/** Takes the text of a fault that was there before, and may stay. */
type Warn = (text: string) => void;

function validateNew(custom: CustomVersion, object: ApiObject): FieldError[] {
  const { schema, checked, version } = custom;
  const wrong = validateTypeMeta(custom, object);
  if (wrong.length) return wrong;
  const scale = version.subresources?.scale;
  const errors = [
    ...validateCustomMeta(object.metadata),
    ...validateCustom(checked, object, schema),
    ...validateScaleSpec(scale, object),
    ...validateScaleStatus(scale, object),
    ...validateEmbedded(schema, object),
    ...validateListSets(schema, object),
  ];
  return withRules(custom, errors, object, undefined);
}

function validateChange(custom: CustomVersion, next: ApiObject, old: ApiObject, warn: Warn): FieldError[] {
  const { schema, checked, version } = custom;
  const wrong = validateTypeMeta(custom, next);
  if (wrong.length) return wrong;
  const scale = version.subresources?.scale;
  const errors = [
    ...validateCustomMetaUpdate(next.metadata, old.metadata),
    ...validateCustom(checked, next, schema, old),
    ...validateScaleSpec(scale, next),
    ...validateScaleStatus(scale, next),
    ...validateEmbedded(schema, next),
    ...listSetFaults(schema, next, old),
  ];
  return withRules(custom, errors, next, old, warn);
}

function validateStatus(custom: CustomVersion, next: ApiObject, old: ApiObject, warn: Warn): FieldError[] {
  const { schema, checked, version } = custom;
  const wrong = validateTypeMeta(custom, next);
  if (wrong.length) return wrong;
  const part = checked.properties?.status;
  const errors = [
    ...validateCustomMetaUpdate(next.metadata, old.metadata),
    ...(part && next.status !== undefined
      ? validateValue(part, next.status, 'status', fieldOf(correlate(schema, next, old), 'status'))
      : []),
    ...validateScaleStatus(version.subresources?.scale, next),
    ...listSetFaults(schema, next, old),
  ];
  return withRules(custom, errors, next, old, warn);
}

/** Faults that were there before may stay. */
function listSetFaults(schema: Schema, next: ApiObject, old: ApiObject): FieldError[] {
  const errors = validateListSets(schema, next);
  return errors.length && validateListSets(schema, old).length ? [] : errors;
}

function validateTypeMeta({ group, kind, version }: CustomVersion, object: ApiObject): FieldError[] {
  const apiVersion = `${group}/${version.name}`;
  return [
    ...(object.kind === kind ? [] : [invalidValue('kind', object.kind, `must be ${kind}`)]),
    ...(object.apiVersion === apiVersion
      ? []
      : [invalidValue('apiVersion', object.apiVersion, `must be ${apiVersion}`)]),
  ];
}

/** With these faults an object has not the types that expressions rely on. */
const blocking = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
];

const ruled = new WeakMap<Schema, boolean>();

function hasRules(schema: Schema): boolean {
  let found = ruled.get(schema);
  if (found === undefined) {
    const { properties = {}, items, additionalProperties, rules } = schema;
    found =
      !!rules?.length ||
      Object.values(properties).some(hasRules) ||
      (!!items && hasRules(items)) ||
      (typeof additionalProperties === 'object' && hasRules(additionalProperties));
    ruled.set(schema, found);
  }
  return found;
}

const untimed: Timed = (_, work) => work();

function withRules(
  { schema, timed = untimed }: CustomVersion,
  errors: FieldError[],
  object: ApiObject,
  old: ApiObject | undefined,
  warn?: Warn,
): FieldError[] {
  if (!hasRules(schema)) return errors;
  if (!errors.some(({ type }) => blocking.includes(type))) {
    if (!isPrepared(schema)) timed('compilation', () => prepareRules(schema));
    return [...errors, ...timed('evaluation', () => validateRules(schema, object, old, '', warn))];
  }
  const why =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [...errors, invalidValue('<nil>', null, why)];
}
