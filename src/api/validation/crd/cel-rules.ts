// Compiles the rules of a definition, and checks their estimated cost.
// https://kubernetes.io/docs/reference/using-api/cel/#estimated-cost-limits

import type { SizedType } from '../../../machinery/cel/cost/sizes.ts';
import { escapeName } from '../../../machinery/cel/parse/names.ts';
import { sizedType } from '../../../machinery/cel/schema-types.ts';
import type { CelRule } from '../../../machinery/schema.ts';
import { type CompiledRule, compileRules, mostValues } from '../../custom/rule-programs.ts';
import { customSchema } from '../../custom/schema.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue } from '../../fields.ts';
import type { JSONSchemaProps } from '../../generated/types.ts';

const ruleCostLimit = 10_000_000;
const definitionCostLimit = 100_000_000;

interface RuleCost {
  readonly path: string;
  readonly cost: number;
}

/** The total cost of a definition's rules, and the most expensive ones. */
class TotalCost {
  total = 0;
  expensive: readonly RuleCost[] = [];

  add(path: string, cost: number): void {
    this.total += cost;
    if (cost < definitionCostLimit / 100) return;
    this.expensive = [...this.expensive, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, 4);
  }
}

/** A schema of a definition, with the types for its rules and the maximum number of its values in an object. */
export class RuleContext {
  readonly #schema: JSONSchemaProps;
  readonly #parent: RuleContext | undefined;
  /** The type in the parent's; undefined where the parent's rules cannot see this part. */
  readonly #typeIn: (parent: SizedType) => SizedType | undefined;
  readonly #hasRulesAbove: boolean;
  /** Undefined when there is no limit. */
  readonly #mostValues: number | undefined;
  readonly #total: TotalCost;
  #type: { readonly found: SizedType | undefined } | undefined;

  private constructor(
    schema: JSONSchemaProps,
    parent: RuleContext | undefined,
    typeIn: (parent: SizedType) => SizedType | undefined = () => undefined,
  ) {
    this.#schema = schema;
    this.#parent = parent;
    this.#typeIn = typeIn;
    this.#hasRulesAbove = (parent ? parent.#hasRulesAbove : false) || !!schema?.['x-kubernetes-validations']?.length;
    this.#total = parent ? parent.#total : new TotalCost();
    const most = parent && mostParts(parent.#schema);
    const above = parent ? parent.#mostValues : 1;
    this.#mostValues = !parent ? 1 : above === undefined || most === undefined ? undefined : above * most;
  }

  static root(schema: JSONSchemaProps): RuleContext {
    return new RuleContext(schema, undefined);
  }

  property(schema: JSONSchemaProps, name: string): RuleContext {
    const escaped = escapeName(name);
    return new RuleContext(schema, this, (type) => (escaped === undefined ? undefined : type.fields?.get(escaped)));
  }

  element(schema: JSONSchemaProps): RuleContext {
    return new RuleContext(schema, this, (type) => type.element);
  }

  #typeOf(): SizedType | undefined {
    if (!this.#hasRulesAbove) return undefined;
    if (!this.#type) {
      const above = this.#parent ? this.#parent.#typeOf() : undefined;
      const isObject = !this.#parent || !!this.#schema['x-kubernetes-embedded-resource'];
      this.#type = { found: (above && this.#typeIn(above)) ?? sizedType(customSchema(this.#schema), isObject) };
    }
    return this.#type.found;
  }

  /** Faults of this schema's rules. `uncorrelatable` is the nearest ancestor whose parts have no old value. */
  validate(path: string, uncorrelatable: string | undefined): FieldError[] {
    const rules = this.#schema['x-kubernetes-validations'] ?? [];
    if (!rules.length) return [];
    const at = `${path}.x-kubernetes-validations`;
    const type = this.#typeOf();
    if (!type) return [{ type: 'InternalError', field: at, message: `Internal error: ${noType}` }];
    const most = this.#mostValues ?? mostValues(type);
    return compileRules(rules, type).flatMap((rule, index) =>
      this.#validateRule(rule, `${at}[${index}]`, most, uncorrelatable),
    );
  }

  #validateRule(compiled: CompiledRule, path: string, most: number, uncorrelatable: string | undefined): FieldError[] {
    const { rule, fault, maxCost, message, messageFault, messageMaxCost, usesOldSelf } = compiled;
    const errors: FieldError[] = [];
    const limit = (name: string, field: string, cost: number) => {
      if (cost > ruleCostLimit)
        errors.push(forbiddenField(`${path}.${field}`, tooExpensive(name, cost, ruleCostLimit)));
      this.#total.add(`${path}.${field}`, cost);
    };
    limit('estimated rule cost', 'rule', maxCost * most);
    if (fault) errors.push(shownRule(`${path}.rule`, rule, fault));
    if (messageFault) errors.push(shownRule(`${path}.messageExpression`, rule, messageFault));
    if (message) limit('estimated messageExpression cost', 'messageExpression', messageMaxCost);
    if (usesOldSelf && uncorrelatable)
      errors.push(
        invalidValue(
          `${path}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`,
        ),
      );
    if (!usesOldSelf && rule.optionalOldSelf !== undefined && rule.optionalOldSelf !== null)
      errors.push(
        invalidValue(`${path}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'),
      );
    return errors;
  }

  /** Faults of the definition as a whole, once all its rules have been looked at. */
  validateTotal(path: string): FieldError[] {
    const { total, expensive } = this.#total;
    if (total <= definitionCostLimit) return [];
    const name = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...expensive.map((rule) =>
        forbiddenField(
          rule.path,
          'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
        ),
      ),
      forbiddenField(path, tooExpensive(name, total, definitionCostLimit)),
    ];
  }
}

const noType =
  'internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations';

/** How many values a container can hold at most; 1 for the fields of an object; undefined without a limit. */
function mostParts({ type, additionalProperties, maxProperties, maxItems }: JSONSchemaProps): number | undefined {
  const limit = (most: number | undefined) => (typeof most === 'number' ? Math.max(0, most) : undefined);
  if (type === 'array') return limit(maxItems);
  return type === 'object' && additionalProperties ? limit(maxProperties) : 1;
}

function tooExpensive(name: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : `${factor.toFixed(factor < 1.5 ? 6 : 1)}x`;
  return `${name} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** Kubernetes prints the whole rule, as its internal type. */
function shownRule(field: string, rule: CelRule, why: string): FieldError {
  const shown = JSON.stringify({
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  }).replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
  return { type: 'FieldValueInvalid', field, message: `Invalid value: ${shown}: ${why}` };
}
