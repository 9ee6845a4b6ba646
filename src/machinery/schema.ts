// The schema of an object: shapes, formats, defaults, enums, merge keys, list types and protobuf numbers of each field,
// made by the generator for built-in kinds and from the CRD for custom resources.

export interface Schema {
  /** Of named types: the OpenAPI name, such as io.k8s.api.core.v1.Pod. */
  readonly name?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  /** int32, int64, double, byte, date-time, micro-time (microseconds), quantity, duration, or a CRD's format. */
  readonly format?: string;
  readonly description?: string;
  /** In the order in which Kubernetes writes them. */
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  /** False: no part of the value has a default. */
  readonly hasDefaults?: boolean;
  readonly nullable?: boolean;
  readonly intOrString?: boolean;
  readonly preserveUnknownFields?: boolean;
  readonly embeddedResource?: boolean;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  readonly mapType?: 'atomic' | 'granular';
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** Groups of fields of which one is set, as published. */
  readonly unions?: readonly object[];
  /**
   * Encoding of an empty field, as Go's encoder does for the published types. `always`: its zero value (null for a list
   * or map); `nonzero`: omitted if zero or empty; `set`: omitted only if null (a pointer with omitempty); `nullable`:
   * null if not set. Undefined (custom resources): unchanged.
   */
  readonly presence?: 'always' | 'nonzero' | 'set' | 'nullable';
  /** The field's Go type in messages about wrong types: "[]v1.Container". */
  readonly goType?: string;
  /** Path of protobuf field numbers: "2", or "2.1" where Go embeds the message that has the field. */
  readonly protobuf?: string;
  /** The structs that Go embeds to have this field, for messages. */
  readonly via?: string;
  /** The root of a custom resource: decoding is lenient, because validation reports the errors. */
  readonly custom?: boolean;
  /** Constraints beside the type (JSON Schema's keywords), for custom resources. */
  readonly constraints?: Constraints;
  /** x-kubernetes-validations. */
  readonly rules?: readonly CelRule[];
  /** Only in a CRD's schema of schemas. */
  readonly union?: 'schema-or-array' | 'schema-or-bool';
}

/** A CEL rule for values. */
export interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

export interface Constraints {
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly maximum?: number;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
}
