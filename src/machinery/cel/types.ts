// CEL's types: https://github.com/google/cel-spec/blob/master/doc/langdef.md#values

type TypeKind =
  | 'any'
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'opaque'
  | 'param'
  | 'string'
  | 'struct'
  | 'timestamp'
  | 'type'
  | 'uint';

export interface Type {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly Type[];
}

const simple = (kind: TypeKind, name: string = kind): Type => ({ kind, name, params: [] });

export const anyType = simple('any');
export const boolType = simple('bool');
export const bytesType = simple('bytes');
export const doubleType = simple('double');
export const durationType = simple('duration', 'google.protobuf.Duration');
export const dynType = simple('dyn');
export const errorType = simple('error');
export const intType = simple('int');
export const nullType = simple('null', 'null_type');
export const stringType = simple('string');
export const timestampType = simple('timestamp', 'google.protobuf.Timestamp');
export const uintType = simple('uint');
export const typeType = simple('type');

export const listType = (element: Type): Type => ({ kind: 'list', name: 'list', params: [element] });
export const mapType = (key: Type, value: Type): Type => ({ kind: 'map', name: 'map', params: [key, value] });
export const paramType = (name: string): Type => ({ kind: 'param', name, params: [] });
export const structType = (name: string): Type => ({ kind: 'struct', name, params: [] });
export const opaqueType = (name: string, ...params: Type[]): Type => ({ kind: 'opaque', name, params });
export const optionalType = (value: Type): Type => opaqueType('optional_type', value);
export const typeOf = (type: Type): Type => ({ kind: 'type', name: 'type', params: [type] });

export const isDyn = ({ kind }: Type): boolean => kind === 'dyn' || kind === 'any';
export const isDynOrError = (type: Type): boolean => type.kind === 'error' || isDyn(type);
export const isOptional = ({ kind, name }: Type): boolean => kind === 'opaque' && name === 'optional_type';

/** The type in an optional, or the type itself. */
export const unwrapOptional = (type: Type): Type => (isOptional(type) ? (type.params[0] as Type) : type);

export function sameType(a: Type, b: Type): boolean {
  return (
    a === b ||
    (a.kind === b.kind &&
      a.name === b.name &&
      a.params.length === b.params.length &&
      a.params.every((part, index) => sameType(part, b.params[index] as Type)))
  );
}

/** As errors name a type. */
export function formatType(type: Type): string {
  switch (type.kind) {
    case 'error':
      return '!error!';
    case 'duration':
    case 'timestamp':
    case 'null':
      return type.kind;
    default:
      return type.params.length ? `${type.name}(${type.params.map(formatType).join(', ')})` : type.name;
  }
}
