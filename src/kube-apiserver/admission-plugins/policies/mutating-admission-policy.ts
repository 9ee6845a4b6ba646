import { type ApiObject, fromCel, type MutatingAdmissionPolicy, type Mutation } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { applyJsonPatch } from '../../../machinery/json-patch.ts';
import { mergeFields } from '../../../machinery/merge-fields.ts';
import { PatchError } from '../../../machinery/patch-error.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { failure } from '../../status.ts';
import { adopt } from '../adopt.ts';
import { type Binding, casesOf, hasNone, messageOf, type Policy } from './evaluate.ts';

type MutatingPolicy = Policy & MutatingAdmissionPolicy;

const resources = { policies: 'mutatingadmissionpolicies', bindings: 'mutatingadmissionpolicybindings' };

/** Changes objects as the cluster's own rules say. https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/ */
export const mutatingAdmissionPolicy = (client: () => Client): AdmissionPlugin => ({
  name: 'MutatingAdmissionPolicy',
  admit(attributes) {
    const { object, operation } = attributes;
    if (!object || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined;
    return hasNone(attributes, resources.policies) ? undefined : change(attributes, client);
  },
});

async function change(attributes: AdmissionAttributes, client: () => Client): Promise<void> {
  const asked = new Set<string>();
  // Each policy sees what the one before it made.
  for (;;) {
    const cases = await casesOf<MutatingPolicy, Binding>(attributes, client, resources);
    const next = cases.find((one) => !asked.has(keyOf(one)));
    if (!next) return;
    asked.add(keyOf(next));
    const fails = next.policy.spec.failurePolicy !== 'Ignore';
    if (next.fault) {
      if (fails) throw refusal(attributes, next, next.fault);
      continue;
    }
    try {
      for (const mutation of next.policy.spec.mutations ?? []) mutate(attributes, mutation, next.run);
    } catch (error) {
      const why = error instanceof Fault ? error.message : messageOf(error);
      if (fails) throw refusal(attributes, next, why);
    }
  }
}

const keyOf = ({ policy, binding }: { policy: ApiObject; binding: ApiObject }) =>
  `${policy.metadata.name}/${binding.metadata.name}`;

class Fault extends Error {}

function mutate(attributes: AdmissionAttributes, mutation: Mutation, run: (expression: string) => any): void {
  const { kind } = attributes;
  const object = attributes.object as ApiObject;
  const expression = mutation.applyConfiguration?.expression ?? mutation.jsonPatch?.expression ?? '';
  let result: any;
  try {
    result = fromCel(run(expression));
  } catch (error) {
    throw new Fault(`expression '${expression}' resulted in error: ${messageOf(error)}`);
  }
  const changed =
    mutation.patchType === 'JSONPatch' ? patched(object, result) : mergeFields(object, result, kind.schema);
  adopt(kind, object, changed);
}

function patched(object: ApiObject, operations: any): any {
  if (!Array.isArray(operations)) throw new Fault('the expression must evaluate to a list of JSONPatch');
  for (const operation of operations) {
    const { op, path = '' } = operation;
    try {
      object = applyJsonPatch(object, [operation]);
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
      const key = path.slice(path.lastIndexOf('/') + 1);
      throw new Fault(
        op === 'remove'
          ? `JSON Patch: error in remove for path: '${path}': Unable to remove nonexistent key: ${key}: missing value`
          : `JSON Patch: error in ${op} for path: '${path}': ${error.message}`,
      );
    }
  }
  return object;
}

function refusal(
  { kind, name }: AdmissionAttributes,
  { policy, binding }: { policy: ApiObject; binding: ApiObject },
  why: string,
) {
  const message = `policy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${why}`;
  const { group, resource } = kind;
  return failure(403, 'Invalid', message, { name, ...(group && { group }), kind: resource, causes: [{ message }] });
}
