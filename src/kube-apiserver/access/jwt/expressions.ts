// CEL over the claims of a token, and over the user that they make.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration

import { type FieldError, invalidValue } from '../../../api/api.ts';
import {
  CelList,
  CelSyntaxError,
  celEnvironment,
  checkExpression,
  type Expression,
  fromUntyped,
  ProgramFault,
  StructValue,
  type Value,
} from '../../../machinery/cel/cel.ts';
import {
  boolType,
  dynType,
  listType,
  mapType,
  sameType,
  stringType,
  structType,
} from '../../../machinery/cel/types.ts';
import type { UserInfo } from '../../request/user.ts';
import type { JwtIssuer } from './types.ts';

const strings = listType(stringType);
const userType = structType('kubernetes.UserInfo');
const userFields = new Map([
  ['username', stringType],
  ['uid', stringType],
  ['groups', strings],
  ['extra', mapType(stringType, strings)],
]);
const claimsEnvironment = celEnvironment({ variables: [{ name: 'claims', type: mapType(stringType, dynType) }] });
const userEnvironment = celEnvironment({
  variables: [{ name: 'user', type: userType }],
  structs: new Map([[userType.name, { field: (name: string) => userFields.get(name) }]]),
});

interface Compiled {
  readonly faults: readonly FieldError[];
  readonly program?: Expression;
}

export const compileClaims = (source: string, path: string, wanted?: 'bool'): Compiled =>
  compile(source, path, claimsEnvironment, wanted === 'bool');
export const compileUser = (source: string, path: string): Compiled => compile(source, path, userEnvironment, true);

function compile(source: string, path: string, environment: typeof claimsEnvironment, wantsBool: boolean): Compiled {
  const fault = (detail: string): Compiled => ({ faults: [invalidValue(path, source, detail)] });
  try {
    const checked = checkExpression(source, environment);
    if (wantsBool && !sameType(checked.type, boolType)) return fault('must evaluate to bool');
    return { faults: [], program: checked.program() };
  } catch (error) {
    if (error instanceof CelSyntaxError) return fault(`compilation failed: ${error.message}`);
    if (error instanceof ProgramFault) return fault(`program instantiation failed: ${error.message}`);
    throw error;
  }
}

/** Kubernetes' limit for one call of an expression. */
const callLimit = 1_000_000;

interface Rule {
  readonly program: Expression;
  readonly message: string;
}

/** The expressions of one issuer, which must be without faults. */
export class ClaimPrograms {
  readonly username: Expression | undefined;
  readonly groups: Expression | undefined;
  readonly uid: Expression | undefined;
  readonly extra: readonly { readonly key: string; readonly program: Expression }[];
  readonly #rules: readonly Rule[];
  readonly #userRules: readonly Rule[];

  constructor({ claimMappings, claimValidationRules = [], userValidationRules = [] }: JwtIssuer) {
    const of = (source: string | undefined) => (source ? compileClaims(source, '').program : undefined);
    this.username = of(claimMappings.username.expression);
    this.groups = of(claimMappings.groups?.expression);
    this.uid = of(claimMappings.uid?.expression);
    this.extra = (claimMappings.extra ?? []).flatMap(({ key, valueExpression }) => {
      const program = of(valueExpression);
      return program ? [{ key, program }] : [];
    });
    this.#rules = claimValidationRules.flatMap(({ expression, message = '' }) => {
      const program = of(expression);
      return program ? [{ program, message }] : [];
    });
    this.#userRules = userValidationRules.flatMap(({ expression = '', message = '' }) => {
      const { program } = compileUser(expression, '');
      return program ? [{ program, message }] : [];
    });
  }

  /** Whether the user name may be an unverified email address. */
  get trustsUnverifiedEmail(): boolean {
    const all = [
      this.username,
      ...this.extra.map(({ program }) => program),
      ...this.#rules.map(({ program }) => program),
    ];
    return reads(this.username, 'email') && !all.some((program) => reads(program, 'email_verified'));
  }

  /** Throws an Error with the violated rule. */
  checkClaims(claims: object): void {
    const variables = { claims: fromUntyped(claims) };
    checkRules(this.#rules, variables, 'oidc: error evaluating claim validation expression');
  }

  checkUser(user: UserInfo): void {
    if (this.#userRules.length === 0) return;
    const { name, uid = '', groups, extra = {} } = user;
    const fields = new Map<string, Value>([
      ['username', name],
      ['uid', uid],
      ['groups', fromUntyped(groups)],
      ['extra', fromUntyped(extra)],
    ]);
    const variables = { user: new StructValue(userType.name, fields) };
    checkRules(this.#userRules, variables, 'oidc: error evaluating user info validation rule');
  }
}

const reads = (program: Expression | undefined, claim: string): boolean => program?.selects('claims', claim) ?? false;

function checkRules(rules: readonly Rule[], variables: Record<string, Value>, prefix: string): void {
  for (const { program, message } of rules) {
    let held: Value;
    try {
      held = program.run(variables, callLimit);
    } catch (error) {
      throw new Error(`${prefix}: ${(error as Error).message}`);
    }
    if (held !== true) throw new Error(`${prefix}: validation expression '${program.source}' failed: ${message}`);
  }
}

/** The text that an expression makes of the claims. Throws an Error when it makes none. */
export function textOf(program: Expression, claims: object, field: string): string {
  const value = evaluate(program, claims, field);
  if (typeof value !== 'string')
    throw new Error(`oidc: error evaluating ${field} claim expression: ${field} claim expression must return a string`);
  return value;
}

/** A text, a list of texts or null, as a list; empty texts are left out. */
export function textsOf(program: Expression, claims: object, field: string): string[] {
  const value = evaluate(program, claims, field);
  const wrong = `oidc: error evaluating ${field} claim expression: expression must return a string or a list of strings`;
  if (value === null) return [];
  const list = value instanceof CelList ? [...value] : [value];
  if (!list.every((item) => typeof item === 'string')) throw new Error(wrong);
  return (list as string[]).filter(Boolean);
}

function evaluate(program: Expression, claims: object, field: string): Value {
  try {
    return program.run({ claims: fromUntyped(claims) }, callLimit);
  } catch (error) {
    throw new Error(`oidc: error evaluating ${field} claim expression: ${(error as Error).message}`);
  }
}
