// Whether the rules of a definition can be compiled, and read nothing that the schema does not have.

import { CelError, celFault, compileCel, nodes } from '../../cel/cel.ts';
import { escapedName } from '../../cel/values.ts';
import { ruleVariables } from '../../custom/rules.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue } from '../../fields.ts';

/** `uncorrelatable` is the path of the list whose elements have no old value; undefined when there is one. */
export function validateCelRule(
  rule: any,
  schema: any,
  path: string,
  uncorrelatable: string | undefined,
): FieldError[] {
  if (!rule.rule?.trim()) return [];
  const why = compileFault(rule.rule, schema);
  if (why) return [shownRule(`${path}.rule`, rule, why)];
  const errors: FieldError[] = [];
  const program = compileCel(rule.rule, ruleVariables);
  if (program.type !== 'bool' && program.type !== 'dyn')
    errors.push(shownRule(`${path}.rule`, rule, 'cel expression must evaluate to a bool'));
  if (uncorrelatable && program.uses('oldSelf'))
    errors.push(
      invalidValue(
        `${path}.rule`,
        rule.rule,
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`,
      ),
    );
  if (rule.messageExpression) {
    const fault = compileFault(rule.messageExpression, schema);
    if (fault) errors.push(shownRule(`${path}.messageExpression`, rule, `messageExpression ${fault}`));
  }
  return errors;
}

function compileFault(expression: string, schema: any): string | undefined {
  try {
    return undefinedField(compileCel(expression, ruleVariables).ast, schema, expression);
  } catch (error) {
    if (error instanceof CelError) return error.message;
    throw error;
  }
}

function undefinedField(ast: any, self: any, expression: string): string | undefined {
  for (const node of nodes(ast)) {
    if (node.op !== '.') continue;
    const [holder, name] = node.args;
    const schema = schemaOf(holder, self);
    if (!schema?.properties || schema['x-kubernetes-preserve-unknown-fields']) continue;
    if (fieldOf(schema, name)) continue;
    const at = expression.indexOf(`.${name}`, (holder as { range: { end: number } }).range.end);
    return celFault(expression, Math.max(at, 0), `undefined field '${name}'`);
  }
  return undefined;
}

const common: Readonly<Record<string, object>> = { apiVersion: {}, kind: {}, metadata: {} };

const fieldOf = (schema: any, name: string): any => {
  const found = Object.keys(schema.properties).find((key) => escapedName(key) === name);
  return found ? schema.properties[found] : common[name];
};

/** The schema of what a node reads, as far as it is a path from self. */
function schemaOf(node: any, self: any): any {
  if (node.op === 'id') return node.args === 'self' || node.args === 'oldSelf' ? self : undefined;
  const holder = node.op === '.' || node.op === '[]' ? schemaOf(node.args[0], self) : undefined;
  if (!holder) return undefined;
  if (node.op === '.') return holder.properties ? fieldOf(holder, node.args[1]) : holder.additionalProperties;
  return holder.items ?? holder.additionalProperties;
}

/** Kubernetes shows the whole rule, as its internal type. */
function shownRule(field: string, rule: any, why: string): FieldError {
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
