import type { Kind, ValidatingAdmissionPolicy, Validation } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { failure } from '../../status.ts';
import { type Shown, shownAs } from '../versions.ts';
import { type Binding, type Case, type Cases, casesOf, hasNone, type Policy } from './cases.ts';
import { type CompiledValidating, compiledValidating } from './compiled.ts';
import { conditionedBy } from './conditioned.ts';
import { Questions } from './questions.ts';
import {
  type Budget,
  BudgetSpent,
  conditionsHold,
  type Inputs,
  type Outcome,
  Pace,
  policyBudget,
  Round,
} from './round.ts';

type ValidatingPolicy = Policy & ValidatingAdmissionPolicy;
type ValidatingBinding = Binding & { readonly spec: { readonly validationActions: readonly string[] } };
type ValidatingCase = Case<ValidatingPolicy, ValidatingBinding>;

const resources = { policies: 'validatingadmissionpolicies', bindings: 'validatingadmissionpolicybindings' };

interface Denial {
  readonly message: string;
  readonly reason?: string | undefined;
  /** Which of the validations it is. */
  readonly index: number;
  /** Denies regardless of the binding's actions. */
  readonly always?: boolean;
}

interface Verdict {
  readonly denials: readonly Denial[];
  readonly annotations: readonly (readonly [key: string, value: string])[];
}

/**
 * Validates by the cluster's policies.
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export const validatingAdmissionPolicy = (client: () => Client): AdmissionPlugin => ({
  name: 'ValidatingAdmissionPolicy',
  validate: (attributes) => (hasNone(attributes, resources.policies) ? undefined : judge(attributes, client)),
});

interface Denied {
  readonly denial: Denial;
  readonly by: string;
}

async function judge(attributes: AdmissionAttributes, client: () => Client): Promise<void> {
  let denied: Denied | undefined;
  const published = new Map<string, Set<string>>();
  const found: Cases<ValidatingPolicy, ValidatingBinding> | undefined = await casesOf(attributes, client, resources);
  if (!found) return;
  const pace = new Pace();
  const questions = new Questions(attributes);
  const versions = new Map<Kind, Promise<Shown>>();
  const shownTo = (kind: Kind) => {
    if (!versions.has(kind)) versions.set(kind, shownAs(kind, attributes));
    return versions.get(kind) as Promise<Shown>;
  };
  for await (const one of found.cases) {
    const policy = one.policy.metadata.name;
    const { denials, annotations } = await verdictOf(
      one,
      { attributes, namespace: found.namespace, questions, pace },
      shownTo,
    );
    const binding = one.binding ? ` with binding '${one.binding.metadata.name}'` : '';
    const by = `ValidatingAdmissionPolicy '${policy}'${binding}`;
    for (const denial of denials) {
      const isDenied = denial.always || act(attributes, one, denial, by);
      if (isDenied) denied ??= { denial, by };
    }
    for (const [key, value] of annotations)
      published.set(`${policy}/${key}`, (published.get(`${policy}/${key}`) ?? new Set()).add(value));
  }
  for (const [key, values] of published) attributes.annotate(key, [...values].join(', '));
  if (denied) throw refusal(attributes, denied);
}

/** Whether the binding denies the request. */
function act(
  attributes: AdmissionAttributes,
  { policy, binding }: ValidatingCase,
  denial: Denial,
  by: string,
): boolean {
  const { message, index } = denial;
  const actions = binding?.spec.validationActions ?? [];
  if (actions.includes('Warn')) attributes.warn(`Validation failed for ${by}: ${message}`);
  if (actions.includes('Audit')) {
    const event = {
      message,
      policy: policy.metadata.name,
      binding: binding?.metadata.name,
      expressionIndex: index,
      validationActions: actions,
    };
    attributes.annotate('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([event]));
  }
  return actions.includes('Deny');
}

const nothing: Verdict = { denials: [], annotations: [] };

async function verdictOf(
  one: ValidatingCase,
  shared: Omit<Inputs, 'shown'>,
  shownTo: (kind: Kind) => Promise<Shown>,
): Promise<Verdict> {
  const { spec } = one.policy;
  const ignores = spec.failurePolicy === 'Ignore';
  const failed = (message: string, always = false): Verdict =>
    ignores ? nothing : { denials: [{ message, index: 0, always }], annotations: [] };
  if (one.fault !== undefined) return failed(one.fault, true);
  const shown = await shownTo(one.kind).catch((error: Error) => error);
  if (shown instanceof Error)
    return failed(`failed to configure binding: failed to convert object version: ${shown.message}`, true);
  const compiled = compiledValidating(one.policy);
  const inputs = { ...shared, shown, params: one.params };
  const condition = await conditionsHold(compiled.conditions, inputs, conditionedBy(one.policy), compiled.variables);
  if (condition.fault !== undefined) return failed(condition.fault);
  if (!condition.holds) return nothing;
  try {
    const denials = await denialsOf(compiled, inputs, ignores);
    const { annotations, faults } = await annotationsOf(compiled, inputs);
    const added = ignores ? [] : faults.map((message) => ({ message, index: 0, always: true }));
    return { denials: [...denials, ...added], annotations };
  } catch (error) {
    if (error instanceof BudgetSpent) return failed(error.message);
    throw error;
  }
}

/** The faults of one policy in order; the first one determines the status. */
async function denialsOf(compiled: CompiledValidating, inputs: Inputs, ignores: boolean): Promise<Denial[]> {
  const budget = policyBudget();
  const round = new Round(inputs, compiled.variables, budget);
  const outcomes: Outcome[] = [];
  for (const { expression } of compiled.validations) outcomes.push(await round.ask(expression));
  const messages = await messagesOf(compiled, inputs, budget);
  return compiled.validations.flatMap(({ validation }, index): Denial[] => {
    const outcome = outcomes[index] as Outcome;
    if (outcome.fault !== undefined) return ignores ? [] : [{ message: outcome.fault, index }];
    if (typeof messages === 'string') return ignores ? [] : [{ message: messages, index }];
    if (outcome.value === true) return [];
    const message = textOf(validation, messages[index]);
    return [{ message, reason: validation.reason ?? 'Invalid', index }];
  });
}

/** Evaluates all message expressions; returns a text if they exceed the cost limit. */
async function messagesOf(
  { validations, variables }: CompiledValidating,
  inputs: Inputs,
  budget: Budget,
): Promise<readonly (Outcome | undefined)[] | string> {
  if (!validations.some(({ message }) => message)) return [];
  const round = new Round({ ...inputs, questions: undefined }, variables, budget);
  const outcomes: (Outcome | undefined)[] = [];
  try {
    for (const { message } of validations) outcomes.push(message && (await round.ask(message)));
  } catch (error) {
    if (error instanceof BudgetSpent) return `failed messageExpression: ${error.message}`;
    throw error;
  }
  return outcomes;
}

const longestMessage = 5 * 1024;

/** A computed message must be one line, non-empty and short; otherwise the static message is used. */
function textOf({ expression, message }: Validation, made: Outcome | undefined): string {
  const text = typeof made?.value === 'string' ? made.value.trim() : '';
  if (text && !text.includes('\n') && Buffer.byteLength(text) <= longestMessage) return text;
  return message?.trim() || `failed expression: ${expression.trim()}`;
}

const longestAnnotation = 10 * 1024;

async function annotationsOf({ annotations, variables }: CompiledValidating, inputs: Inputs) {
  const published: [key: string, value: string][] = [];
  const faults: string[] = [];
  if (!annotations.length) return { annotations: published, faults };
  const round = new Round({ ...inputs, questions: undefined }, variables, policyBudget());
  for (const { key, expression } of annotations) {
    const outcome = await round.ask(expression);
    if (outcome.fault !== undefined) faults.push(outcome.fault);
    else if (typeof outcome.value === 'string' && outcome.value.trim())
      published.push([key, outcome.value.trim().slice(0, longestAnnotation)]);
  }
  return { annotations: published, faults };
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

function refusal({ kind, name }: AdmissionAttributes, { denial, by }: Denied) {
  const { group, resource } = kind;
  const { message, reason = 'Invalid' } = denial;
  const why = `${by} denied request: ${message}`;
  return failure(
    codes[reason] ?? 422,
    reason,
    `${group ? `${resource}.${group}` : resource} ${JSON.stringify(name)} is forbidden: ${why}`,
    { name, ...(group && { group }), kind: resource, causes: [{ message: why }] },
  );
}
