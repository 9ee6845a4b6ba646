// Expressions in the Common Expression Language, compiled once, with Kubernetes' libraries and words.
// https://kubernetes.io/docs/reference/using-api/cel/

import { type ASTNode, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { addKubernetesFunctions } from './functions.ts';

export interface CelProgram {
  readonly expression: string;
  /** Type that it evaluates to, such as bool or dyn. */
  readonly type: string;
  readonly ast: ASTNode;
  /** Whether it reads this variable. */
  uses(variable: string): boolean;
  /** Throws CelError. */
  run(variables: Readonly<Record<string, unknown>>): any;
}

/** An expression that cannot be compiled, or that failed; the message is Kubernetes'. */
export class CelError extends Error {
  override readonly name = 'CelError';
}

const environments = new Map<string, Environment>();

function environmentOf(variables: readonly string[]): Environment {
  const key = variables.join();
  let found = environments.get(key);
  if (!found) {
    found = addKubernetesFunctions(
      new Environment({
        enableOptionalTypes: true,
        homogeneousAggregateLiterals: false,
        unlistedVariablesAreDyn: false,
      }),
    );
    for (const variable of variables) found.registerVariable(variable, 'dyn');
    environments.set(key, found);
  }
  return found;
}

/** Programs that are remembered; the same rule is asked for with each object. */
const mostPrograms = 2_000;
const programs = new Map<string, CelProgram | CelError>();

/** Throws CelError: "compilation failed: ..." with the place shown. */
export function compileCel(expression: string, variables: readonly string[]): CelProgram {
  const key = `${variables.join()}\n${expression}`;
  let found = programs.get(key);
  if (!found) {
    found = tryCompile(expression, variables);
    if (programs.size >= mostPrograms) programs.delete(programs.keys().next().value as string);
    programs.set(key, found);
  }
  if (found instanceof CelError) throw found;
  return found;
}

function tryCompile(expression: string, variables: readonly string[]): CelProgram | CelError {
  try {
    const program = environmentOf(variables).parse(withoutMessages(expression));
    const checked = program.check();
    if (!checked.valid) return new CelError(checkFault(expression, checked.error as never));
    return {
      expression,
      type: String(checked.type ?? 'dyn'),
      ast: program.ast,
      uses: (variable) => [...nodes(program.ast)].some(({ op, args }) => op === 'id' && args === variable),
      run(values) {
        try {
          return program(values as never);
        } catch (error) {
          throw new CelError(evaluationFault(error));
        }
      },
    };
  } catch (error) {
    if (error instanceof ParseError) return new CelError(syntaxFault(expression, error as never));
    return new CelError(`compilation failed: ${(error as Error).message}`);
  }
}

interface Located {
  readonly code?: string;
  readonly summary?: string;
  readonly message: string;
  readonly range?: { readonly start: number };
}

/** As cel-go shows a fault: line and column from 1, the line, and a mark below the place. */
export function celFault(expression: string, at: number, why: string): string {
  const before = expression.slice(0, at).split('\n');
  const column = (before.at(-1) as string).length;
  const line = expression.split('\n')[before.length - 1];
  return `compilation failed: ERROR: <input>:${before.length}:${column + 1}: ${why}\n | ${line}\n | ${'.'.repeat(column)}^`;
}

const expected =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

function syntaxFault(expression: string, { range, summary, message }: Located): string {
  const at = range?.start ?? 0;
  const why = summary ?? message;
  if (at >= expression.length && /\.\s*$/.test(expression))
    return celFault(expression, at, "Syntax error: no viable alternative at input '.'");
  if (at >= expression.length)
    return celFault(expression, at, `Syntax error: mismatched input '<EOF>' expecting ${expected}`);
  return celFault(expression, at, `Syntax error: ${why}`);
}

function checkFault(expression: string, { range, summary, message }: Located): string {
  const why = summary ?? message;
  const unknown = /^Unknown variable: (.+)$/.exec(why)?.[1];
  return celFault(
    expression,
    range?.start ?? 0,
    unknown ? `undeclared reference to '${unknown}' (in container '')` : why,
  );
}

function evaluationFault(error: unknown): string {
  const { summary, message } = error as Located;
  if (!(error instanceof EvaluationError)) return message;
  return (summary ?? message).replace(/^No such key: /, 'no such key: ');
}

/** All nodes of an expression's tree. */
export function* nodes(node: any): Generator<ASTNode> {
  if (Array.isArray(node)) for (const part of node) yield* nodes(part);
  else if (node && typeof node === 'object' && 'op' in node) {
    yield node;
    yield* nodes(node.args);
  }
}

/**
 * `Object.spec{replicas: 1}` and `JSONPatch{op: "add"}` become maps: the names of such messages say nothing that the
 * schema does not. https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
 */
function withoutMessages(expression: string): string {
  if (!/\b(Object|JSONPatch)\b/.test(expression)) return expression;
  const tokens =
    /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\b(?:Object(?:\.\w+)*|JSONPatch)\s*\{|([A-Za-z_]\w*)(\s*:)|[{}]|[\s\S]/g;
  const isMessage: boolean[] = [];
  let out = '';
  for (const [token, text, field, colon] of expression.matchAll(tokens)) {
    const opens = !text && token.endsWith('{');
    if (opens) isMessage.push(token !== '{');
    if (token === '}') isMessage.pop();
    if (opens) out += '{';
    else if (field && isMessage.at(-1) && /[{,]\s*$/.test(out)) out += `"${field}"${colon}`;
    else out += token;
  }
  return out;
}

/** Undefined when the text is no duration. */
export function celDuration(text: string): unknown {
  try {
    return environmentOf([]).evaluate(`duration(${JSON.stringify(text)})`);
  } catch {
    return undefined;
  }
}

/** An optional value: `value` undefined is none. */
export function celOptional(value: unknown): unknown {
  return environmentOf(['x']).evaluate(value === undefined ? 'optional.none()' : 'optional.of(x)', {
    x: value,
  } as never);
}
