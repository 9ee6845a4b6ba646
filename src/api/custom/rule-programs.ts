// x-kubernetes-validations, compiled against the types of the schema that carries them.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules

import {
  CelSyntaxError,
  celEnvironment,
  checkExpression,
  type Expression,
  ProgramFault,
} from '../../machinery/cel/cel.ts';
import type { SizedType } from '../../machinery/cel/cost/sizes.ts';
import { mostRequestBytes, named } from '../../machinery/cel/schema-types.ts';
import { optionalType, type Type } from '../../machinery/cel/types.ts';
import type { CelRule, Schema } from '../../machinery/schema.ts';
import type { JSONSchemaProps } from '../generated/types.ts';
import { validFieldPath } from '../validation/crd/field-path.ts';
import { isSchema, type Part } from '../validation/crd/structural.ts';

export interface CompiledRule {
  readonly rule: CelRule;
  /** Undefined for an empty rule, and for one with a fault. */
  readonly program?: Expression;
  readonly fault?: string;
  readonly usesOldSelf: boolean;
  /** Estimated, for one value. */
  readonly maxCost: number;
  readonly message?: Expression;
  readonly messageFault?: string;
  readonly messageMaxCost: number;
}

const nothing = { usesOldSelf: false, maxCost: 0, messageMaxCost: 0 };

/** How many values of this type a request can have at most. */
export const mostValues = ({ minSize }: SizedType): number => Math.floor(mostRequestBytes / (minSize + 1));

export function compileRules(rules: readonly CelRule[], type: SizedType): CompiledRule[] {
  const { sized, structs } = named(type, 'selfType');
  const environment = (oldSelf: Type) =>
    celEnvironment({
      variables: [
        { name: 'self', type: sized.type },
        { name: 'oldSelf', type: oldSelf },
      ],
      structs,
    });
  const plain = environment(sized.type);
  const optional = environment(optionalType(sized.type));
  return rules.map((rule) => compileRule(rule, sized, rule.optionalOldSelf ? optional : plain));
}

function compileRule(rule: CelRule, type: SizedType, environment: ReturnType<typeof celEnvironment>): CompiledRule {
  if (!rule.rule?.trim()) return { rule, ...nothing };
  const compile = (source: string, prefix: string, wanted: 'bool' | 'string', wrongType: string) => {
    try {
      const checked = checkExpression(source, environment);
      return checked.type.kind === wanted ? { program: checked.program() } : { fault: wrongType };
    } catch (error) {
      if (error instanceof CelSyntaxError) return { fault: `${prefix}compilation failed: ${error.message}` };
      if (error instanceof ProgramFault)
        return { fault: `${prefix || 'program '}instantiation failed: ${error.message}` };
      throw error;
    }
  };
  const { program, fault } = compile(rule.rule, '', 'bool', 'cel expression must evaluate to a bool');
  if (!program) return { rule, ...nothing, fault: fault as string };
  const compiled = { rule, program, usesOldSelf: program.uses('oldSelf'), maxCost: program.maxCost(type) };
  if (!rule.messageExpression) return { ...compiled, messageMaxCost: 0 };
  const message = compile(
    rule.messageExpression,
    'messageExpression ',
    'string',
    'messageExpression must evaluate to a string',
  );
  if (!message.program) return { ...compiled, messageMaxCost: 0, messageFault: message.fault as string };
  return { ...compiled, message: message.program, messageMaxCost: message.program.maxCost(type) };
}

/** A rule's fieldPath in errors: spec.x, or labels[key] below a map. */
export function shownFieldPath(fieldPath: string, openApi: JSONSchemaProps | Schema): string {
  const found = validFieldPath(fieldPath, openApi as JSONSchemaProps);
  if ('fault' in found) return '';
  let at: Part = openApi as JSONSchemaProps;
  let shown = '';
  for (const name of found.names) {
    const below: JSONSchemaProps = isSchema(at) ? at : {};
    const isField = Object.hasOwn(below.properties ?? {}, name);
    shown += isField ? `${shown && '.'}${name}` : `[${name}]`;
    at = isField ? below.properties?.[name] : below.additionalProperties;
  }
  return shown;
}
