// Rules for each schema of a definition, structural or not: types, list and map types, defaults.

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../fields.ts';
import type { JSONSchemaProps, ValidationRule } from '../../generated/types.ts';
import { RuleContext } from './cel-rules.ts';
import { validFieldPath } from './field-path.ts';
import { validateListType } from './list-types.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const metaFields = ['metadata', 'kind', 'apiVersion'];

/** The position of a schema, which decides its valid keywords. */
interface Place {
  readonly isRoot: boolean;
  readonly insideMeta: boolean;
  /** The reason why a default is invalid here; undefined if it is valid. */
  readonly noDefaults?: string;
  /** The nearest ancestor whose parts cannot be correlated with old ones. */
  readonly uncorrelatable?: string;
  /** Undefined below allOf and its like, and where the schema is not sound: expressions are not looked at. */
  readonly rules: RuleContext | undefined;
}

interface Faults {
  readonly schema: FieldError[];
  readonly rules: FieldError[];
}

/** Faults of the schema first, then those of its expressions, which are only looked at when `checksRules`. */
export function validateSchema(schema: JSONSchemaProps, path: string, checksRules: boolean): FieldError[] {
  const faults: Faults = { schema: [], rules: [] };
  const context = checksRules ? RuleContext.root(schema) : undefined;
  visit(schema, path, { isRoot: true, insideMeta: false, rules: context }, faults);
  return [...faults.schema, ...faults.rules, ...(context?.validateTotal(path) ?? [])];
}

const isObject = <T>(value: T | boolean | null | undefined): value is T & object =>
  typeof value === 'object' && value !== null;

function visit(schema: JSONSchemaProps | boolean | null | undefined, path: string, place: Place, faults: Faults): void {
  if (!isObject(schema)) return;
  const before = faults.schema.length;
  faults.schema.push(...validateSupported(schema, path, place));
  visitParts(schema, path, { ...place, isRoot: false }, place.isRoot, faults);
  faults.schema.push(...validateListType(schema, path));
  const rules = schema['x-kubernetes-validations'] ?? [];
  for (const [index, rule] of rules.entries())
    faults.schema.push(...validateRule(rule, schema, `${path}.x-kubernetes-validations[${index}]`));
  // A schema with faults makes no types for expressions.
  if (place.rules && faults.schema.length === before)
    faults.rules.push(...place.rules.validate(path, place.uncorrelatable));
}

function visitParts(schema: JSONSchemaProps, path: string, place: Place, isRoot: boolean, faults: Faults): void {
  const values = place.insideMeta
    ? { ...place, noDefaults: 'inside additionalProperties applying to object metadata' }
    : place;
  const others = schema.additionalProperties;
  visit(
    others,
    `${path}.additionalProperties`,
    { ...values, rules: isObject(others) ? place.rules?.element(others) : undefined },
    faults,
  );
  const isCorrelatable = [undefined, 'granular', 'atomic'].includes(schema['x-kubernetes-map-type']);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const isMeta = (isRoot || schema['x-kubernetes-embedded-resource']) && metaFields.includes(name);
    visit(
      property,
      `${path}.properties[${name}]`,
      {
        ...(isCorrelatable ? place : { ...place, uncorrelatable: place.uncorrelatable ?? path }),
        rules: place.rules?.property(property, name),
        ...(isMeta && { insideMeta: true }),
        ...(isMeta && isRoot && { noDefaults: `in top-level ${name}` }),
      },
      faults,
    );
  }
  const below = { ...place, rules: undefined };
  visit(schema.not, `${path}.not`, below, faults);
  for (const junction of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, part] of (schema[junction] ?? []).entries())
      visit(part, `${path}.${junction}[${index}]`, below, faults);
  const { items: inner } = schema;
  if (Array.isArray(inner)) return;
  const matches = schema['x-kubernetes-list-type'] === 'map';
  const items = { ...place, rules: inner && place.rules?.element(inner) };
  const uncorrelatable = matches ? place.uncorrelatable : (place.uncorrelatable ?? path);
  visit(inner, `${path}.items`, { ...items, ...(uncorrelatable !== undefined && { uncorrelatable }) }, faults);
}

const has = (value: unknown) => value !== undefined && value !== null && Object.keys(value).length > 0;

function validateSupported(schema: JSONSchemaProps, path: string, { noDefaults, insideMeta }: Place): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (field: string, text: string) => errors.push(forbiddenField(`${path}.${field}`, text));
  if (schema.type && !types.includes(schema.type)) errors.push(notSupported(`${path}.type`, schema.type, types));
  if (schema.default !== undefined && noDefaults) refuse('default', `must not be set ${noDefaults}`);
  if (schema.id) refuse('id', 'id is not supported');
  if (schema.additionalItems !== undefined) refuse('additionalItems', 'additionalItems is not supported');
  if (has(schema.patternProperties)) refuse('patternProperties', 'patternProperties is not supported');
  if (has(schema.definitions)) refuse('definitions', 'definitions is not supported');
  if (schema.dependencies !== undefined) refuse('dependencies', 'dependencies is not supported');
  if (schema.$ref !== undefined) refuse('$ref', '$ref is not supported');
  if (schema.type === 'null') refuse('type', 'type cannot be set to null, use nullable as an alternative');
  if (Array.isArray(schema.items)) refuse('items', 'items must be a schema object and not an array');
  if (insideMeta && schema['x-kubernetes-embedded-resource'])
    refuse('x-kubernetes-embedded-resource', 'must not be used inside of resource meta');
  if (schema.uniqueItems)
    refuse('uniqueItems', 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  const { additionalProperties } = schema;
  if (additionalProperties !== undefined && additionalProperties !== true && has(schema.properties))
    refuse('additionalProperties', 'additionalProperties and properties are mutual exclusive');
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  return errors;
}

const blank = (text: string | undefined) => text !== undefined && text !== '' && !text.trim();
const hasLineBreak = (text: string) => /[\r\n]/.test(text);

function validateRule(rule: ValidationRule, schema: JSONSchemaProps, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { message = '', messageExpression, reason, fieldPath } = rule;
  const text = rule.rule?.trim() ?? '';
  if (!text) errors.push(required(`${path}.rule`, 'rule is not specified'));
  else if (blank(message)) errors.push(invalidValue(`${path}.message`, message, 'must be non-empty if specified'));
  else if (hasLineBreak(message.trim()))
    errors.push(invalidValue(`${path}.message`, message, 'must not contain line breaks'));
  else if (hasLineBreak(text) && !message.trim())
    errors.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'));
  if (blank(messageExpression))
    errors.push(required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(`${path}.reason`, reason, reasons));
  if (!fieldPath) return errors;
  if (blank(fieldPath)) errors.push(invalidValue(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (hasLineBreak(fieldPath))
    errors.push(invalidValue(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  if ('fault' in validFieldPath(fieldPath, schema))
    errors.push(invalidValue(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
  return errors;
}
