// Checks expressions of a validating policy against the types of its resources. The result is a warning only: the
// policy works anyway.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking

import type { StructDeclaration } from '../../machinery/cel/declarations.ts';
import { escapeName } from '../../machinery/cel/parse/names.ts';
import { sizedType } from '../../machinery/cel/schema-types.ts';
import { dynType, listType, mapType, stringType, structType, type Type } from '../../machinery/cel/types.ts';
import type { Schema } from '../../machinery/schema.ts';
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../generated/types.ts';
import type { Kind } from '../kind.ts';
import { schemaNamed } from '../schemas.ts';
import { PolicyCompiler } from './admission-expressions.ts';

export type FindKind = (
  group: string,
  version: string,
  names: { resource?: string; kind?: string },
) => Kind | undefined;

/** Types per rule of a policy. */
const mostTypes = 10;

export function typeWarnings(policy: ValidatingAdmissionPolicy, find: FindKind): ExpressionWarning[] {
  const { validations = [], variables = [], paramKind } = policy.spec ?? {};
  const params = paramKind && paramsOf(paramKind.apiVersion ?? '', paramKind.kind ?? '', find);
  const compilers = kindsOf(policy, find).map((kind) => {
    const types = new SchemaTypes();
    const schema = {
      object: types.root(kind),
      ...(params && { paramsType: types.root(params) }),
      structs: types.structs,
    };
    const compiler = new PolicyCompiler({ params: Boolean(paramKind), composes: true }, schema);
    for (const variable of variables) compiler.variable(variable);
    return { kind, compiler };
  });
  const warningsOf = (expression: string | undefined, fieldRef: string): ExpressionWarning[] => {
    if (!expression) return [];
    const issues = compilers.flatMap(({ kind, compiler }) => {
      const found = compiler.compile(expression, undefined).issues;
      return found === undefined ? [] : [`${shown(kind)}: ${found}\n`];
    });
    return issues.length ? [{ fieldRef, warning: issues.join('\n') }] : [];
  };
  return validations.flatMap(({ expression, messageExpression }, index) => [
    ...warningsOf(expression, `spec.validations[${index}].expression`),
    ...warningsOf(messageExpression, `spec.validations[${index}].messageExpression`),
  ]);
}

const shown = ({ group, version, kind }: Kind) => `${group}/${version}, Kind=${kind}`;

function paramsOf(apiVersion: string, kind: string, find: FindKind): Kind | undefined {
  const slash = apiVersion.indexOf('/');
  return find(apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1), { kind });
}

/** Kinds that rules name explicitly: a wildcard covers too many. */
function kindsOf({ spec }: ValidatingAdmissionPolicy, find: FindKind): Kind[] {
  const found = new Map<string, Kind>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of spec?.matchConstraints?.resourceRules ?? []) {
    if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) continue;
    const plain = resources.filter((name) => !/[*/]/.test(name)).sort();
    const kinds = [...apiGroups]
      .sort()
      .flatMap((group) =>
        [...apiVersions].sort().flatMap((version) => plain.map((resource) => find(group, version, { resource }))),
      )
      .filter((kind): kind is Kind => kind !== undefined);
    for (const kind of kinds.slice(0, mostTypes)) found.set(shown(kind), kind);
    if (kinds.length >= mostTypes) break;
  }
  const order = ({ group, version, kind }: Kind) => [group, version, kind].join('\0');
  return [...found.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** Objects have these fields even if a custom resource's schema omits them. */
const typeMeta = (): Readonly<Record<string, Schema>> => ({
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'),
});

/** Types of schemas, made on demand: the schema of schemas is recursive. */
class SchemaTypes {
  readonly structs = new Map<string, StructDeclaration>();

  root({ schema, kind, custom }: Kind): Type {
    const properties = { ...schema.properties, ...typeMeta() };
    return this.#object({ ...schema, properties }, kind, !custom);
  }

  #object({ properties = {} }: Schema, name: string, builtin: boolean): Type {
    const byName = new Map(Object.entries(properties).map(([field, schema]) => [escapeName(field), { field, schema }]));
    this.structs.set(name, {
      field: (escaped) => {
        const found = byName.get(escaped) ?? byName.get(escapeName(escaped));
        return found && this.#typeOf(found.schema, `${name}.${found.field}`, builtin);
      },
    });
    return structType(name);
  }

  /** Undefined for a value that expressions cannot see. */
  #typeOf(schema: Schema, name: string, builtin: boolean): Type | undefined {
    if (schema.intOrString) return dynType;
    if (schema.type === 'array') {
      const items = schema.items && this.#typeOf(schema.items, `${name}.@idx`, builtin);
      return items && listType(items);
    }
    if (schema.type === 'object') {
      const { additionalProperties } = schema;
      if (typeof additionalProperties !== 'object') return this.#object(schema, name, builtin);
      const element = this.#typeOf(additionalProperties, `${name}.@elem`, builtin);
      return element && mapType(stringType, element);
    }
    // Durations and quantities of built-in types are texts.
    const { format } = schema;
    if (builtin && schema.type === 'string' && format !== 'byte')
      return sizedType({ type: 'string', ...(format?.endsWith('-time') && { format: 'date-time' }) })?.type;
    return sizedType(schema)?.type;
  }
}
