// Applies the result of a mutation's expression to the object.
// https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/

import { type ApiObject, internalError, type Kind, type Schema, unknownFields } from '../../../api/api.ts';
import { CelList, CelMap, StructValue, toJson, type Value } from '../../../machinery/cel/cel.ts';
import { checkApplied } from '../../../machinery/fields/applied-faults.ts';
import { isAssociative } from '../../../machinery/fields/field-set.ts';
import { mergeFields } from '../../../machinery/fields/merge-fields.ts';
import { applyJsonPatch } from '../../../machinery/patches/json-patch.ts';
import { PatchError } from '../../../machinery/patches/patch-error.ts';

/** Why a mutation cannot be made. */
export class MutationFault extends Error {}

export function mutated(kind: Kind, object: ApiObject, patchType: string, made: Value): ApiObject {
  return patchType === 'JSONPatch' ? patched(kind, object, made) : merged(kind, object, made);
}

/** The compiler does not check message types: Object.spec must be in the field `spec`. */
function checkNames(value: Value, expected: string): void {
  const faults = nameFaults(value, expected);
  if (faults.length) throw new MutationFault(`type mismatch: ${faults.join('\n')}`);
}

function nameFaults(value: Value, expected: string): string[] {
  if (value instanceof StructValue) {
    const inner = [...value.fields].flatMap(([name, field]) => nameFaults(field, `${expected}.${name}`));
    if (value.typeName === expected) return inner;
    return [
      `unexpected type name ${JSON.stringify(value.typeName)}, expected ${JSON.stringify(expected)}, which matches field name path from root Object type`,
      ...inner,
    ];
  }
  if (value instanceof CelList) return [...value].flatMap((item) => nameFaults(item, expected));
  if (value instanceof CelMap)
    return [...value.keys()].flatMap((key) => nameFaults(value.find(key) as Value, expected));
  return [];
}

function merged(kind: Kind, object: ApiObject, made: Value): ApiObject {
  checkNames(made, 'Object');
  const { apiVersion, kind: name } = object;
  const applied = { ...(toJson(made) as object), apiVersion, kind: name };
  let result: ApiObject;
  try {
    checkApplied(applied, kind.schema);
    result = mergeFields(object, applied, kind.schema) as ApiObject;
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new MutationFault(`error applying patch: failed to convert patch object to typed object: ${error.message}`);
  }
  const atomics = atomicPaths(applied, kind.schema, '');
  if (atomics.length)
    throw new MutationFault(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`,
    );
  return result;
}

/** Fields that would be replaced as a whole, which is rarely intended. */
function atomicPaths(value: unknown, schema: Schema | undefined, path: string): string[] {
  if (Array.isArray(value)) {
    const inner = value.flatMap((item, index) => atomicPaths(item, schema?.items, `${path}[${index}]`));
    return isAssociative(schema) ? inner : [path, ...inner];
  }
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([name, field]) => {
    const declared = schema?.properties?.[name];
    return declared ? atomicPaths(field, declared, `${path}.${name}`) : [];
  });
  return schema?.mapType === 'atomic' ? [path, ...inner] : inner;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

function operationOf(made: Value): Operation {
  const fields = made instanceof StructValue ? made.fields : new Map<string, Value>();
  const value = fields.get('value');
  if (value instanceof StructValue) checkNames(value, value.typeName);
  const from = fields.get('from');
  return {
    op: String(fields.get('op') ?? ''),
    path: String(fields.get('path') ?? ''),
    ...(from !== undefined && from !== '' && { from: String(from) }),
    ...(value !== undefined && { value: toJson(value) }),
  };
}

function patched(kind: Kind, object: ApiObject, made: Value): ApiObject {
  if (!(made instanceof CelList)) throw new MutationFault('JSONPatchType.expression should evaluate to array');
  let result: ApiObject;
  try {
    result = applyJsonPatch(object, [...made].map(operationOf)) as ApiObject;
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    // A failed test means that the patch does not apply.
    if (error.kind === 'untrue') return object;
    throw new MutationFault(`JSON Patch: ${error.message}`);
  }
  const unknown = kind.custom ? [] : unknownFields(kind.schema, result);
  if (unknown.length)
    throw internalError(`strict decoding error: ${unknown.map((field) => `unknown field "${field}"`).join(', ')}`);
  return result;
}
