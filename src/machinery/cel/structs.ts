import type { StructDeclaration } from './declarations.ts';
import { structType, type Type } from './types.ts';

/** Adds the type `kubernetes.NAME` with these fields to `structs`. */
export function declareStruct(
  structs: Map<string, StructDeclaration>,
  name: string,
  fields: Readonly<Record<string, Type>>,
): Type {
  const types = new Map(Object.entries(fields));
  const type = structType(`kubernetes.${name}`);
  structs.set(type.name, { field: (field) => types.get(field) });
  return type;
}
