import { type ApiObject, internalError, type MutatingAdmissionPolicy } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { type Reinvocable, reinvocationOf } from '../../reinvocation.ts';
import { failure } from '../../status.ts';
import { adopt } from '../adopt.ts';
import { converted, type Shown, shownAs } from '../versions.ts';
import { type Binding, type Case, type Cases, casesOf, hasNone, type Policy } from './cases.ts';
import { type CompiledMutation, compiledMutating } from './compiled.ts';
import { conditionedBy } from './conditioned.ts';
import { MutationFault, mutated } from './mutations.ts';
import { Questions } from './questions.ts';
import { BudgetSpent, conditionsHold, type Inputs, Pace, policyBudget, Round, type Variables } from './round.ts';

type MutatingPolicy = Policy & MutatingAdmissionPolicy;
type MutatingCase = Case<MutatingPolicy, Binding>;
type Shared = Omit<Inputs, 'shown'>;

const name = 'MutatingAdmissionPolicy';
const resources = { policies: 'mutatingadmissionpolicies', bindings: 'mutatingadmissionpolicybindings' };

/**
 * Mutates objects by the cluster's policies.
 * https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
 */
export const mutatingAdmissionPolicy = (client: () => Client): AdmissionPlugin => ({
  name,
  admit(attributes) {
    const { object, operation } = attributes;
    if (!object || operation === 'DELETE' || operation === 'CONNECT') return undefined;
    return hasNone(attributes, resources.policies) ? undefined : change(attributes, client);
  },
});

/** Each policy sees the result of the one before. Those that may be called again are, after any change. */
async function change(attributes: AdmissionAttributes, client: () => Client): Promise<void> {
  const found: Cases<MutatingPolicy, Binding> | undefined = await casesOf(attributes, client, resources);
  if (!found) return;
  const { namespace } = found;
  const shared = { attributes, namespace, questions: new Questions(attributes), pace: new Pace() };
  const again = reinvocationOf(attributes, name);
  again.begin(attributes);
  const faults: string[] = [];
  let isChanged = false;
  for await (const one of found.cases) {
    const invoked = await invoke(one, shared, faults, again);
    isChanged ||= invoked.changed;
    if (invoked.matched && one.policy.spec.reinvocationPolicy === 'IfNeeded') again.remember(keyOf(one));
  }
  if (isChanged) again.changed();
  again.end(attributes);
  if (faults.length) throw refusal(attributes, faults);
}

const keyOf = ({ policy, binding, params }: MutatingCase): string =>
  JSON.stringify([policy.metadata.name, binding?.metadata.name, params?.metadata.namespace, params?.metadata.name]);

/** Policies see and change the object in the version that they match; the result is converted back. */
async function invoke(one: MutatingCase, shared: Shared, faults: string[], again: Reinvocable) {
  const { policy, params } = one;
  const tell = (why: string) => {
    if (policy.spec.failurePolicy !== 'Ignore') faults.push(faultOf(one, why));
  };
  let changed = false;
  const shown = one.fault === undefined ? await shownOf(one, shared) : one.fault;
  if (typeof shown === 'string') {
    tell(shown);
    return { matched: false, changed };
  }
  const compiled = compiledMutating(policy);
  const inputs = { ...shared, shown, params };
  const { holds, fault } = await conditionsHold(compiled.conditions, inputs, conditionedBy(policy), compiled.variables);
  if (fault !== undefined) tell(fault);
  if (!holds || again.skips(keyOf(one))) return { matched: false, changed };
  for (const mutation of compiled.mutations)
    try {
      await mutate(mutation, inputs, compiled.variables);
      changed = true;
    } catch (error) {
      if (!(error instanceof MutationFault) && !(error instanceof BudgetSpent)) throw error;
      tell(error.message);
    }
  if (changed) await convertBack(shown, shared.attributes);
  return { matched: true, changed };
}

/** A text when the object cannot be shown. */
const shownOf = ({ kind }: MutatingCase, { attributes }: Shared): Promise<Shown | string> =>
  shownAs(kind, attributes).catch((error: Error) => `failed to configure policy: ${error.message}`);

async function convertBack(shown: Shown, { kind, object }: AdmissionAttributes): Promise<void> {
  if (shown.object === object) return;
  const back = await converted(shown.object as ApiObject, shown.kind, kind).catch((error: Error) => {
    throw internalError(`failed to convert object: ${error.message}`);
  });
  adopt(kind, object as ApiObject, back);
}

/** A large object takes as long to change as expressions of this cost per byte. */
const bytesOfStep = 5;

async function mutate({ patchType, expression }: CompiledMutation, inputs: Inputs, variables: Variables) {
  const { kind } = inputs.shown;
  const object = inputs.shown.object as ApiObject;
  if (!expression.program) throw new MutationFault(expression.fault as string);
  const outcome = await new Round(inputs, variables, policyBudget()).ask(expression);
  if (outcome.fault !== undefined) throw new MutationFault(outcome.fault);
  const keepsUnknown = kind.custom && kind !== inputs.attributes.kind;
  const size = adopt(kind, object, mutated(kind, object, patchType, outcome.value), { keepsUnknown });
  await inputs.pace?.spend(size / bytesOfStep);
}

function faultOf({ policy, binding }: MutatingCase, why: string): string {
  const { name } = policy.metadata;
  return binding
    ? `policy '${name}' with binding '${binding.metadata.name}' denied request: ${why}`
    : `policy ${JSON.stringify(name)} denied request: ${why}`;
}

/** The first is the message; all are causes. */
function refusal({ kind, name }: AdmissionAttributes, faults: readonly string[]) {
  const { group, resource } = kind;
  const causes = faults.map((message) => ({ message }));
  return failure(403, 'Invalid', faults[0] as string, { name, ...(group && { group }), kind: resource, causes });
}
