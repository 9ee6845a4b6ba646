import type { ValidatingAdmissionPolicy, Validation } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { failure } from '../../status.ts';
import { type Binding, type Case, casesOf, hasNone, messageOf, type Policy } from './evaluate.ts';

type ValidatingPolicy = Policy & ValidatingAdmissionPolicy;
type ValidatingBinding = Binding & { readonly spec: { readonly validationActions: readonly string[] } };

const resources = { policies: 'validatingadmissionpolicies', bindings: 'validatingadmissionpolicybindings' };

interface Denial {
  readonly message: string;
  readonly reason: string;
}

/** Asks the cluster's own rules. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ */
export const validatingAdmissionPolicy = (client: () => Client): AdmissionPlugin => ({
  name: 'ValidatingAdmissionPolicy',
  validate: (attributes) => (hasNone(attributes, resources.policies) ? undefined : judge(attributes, client)),
});

async function judge(attributes: AdmissionAttributes, client: () => Client): Promise<void> {
  const denied: (Denial & { policy: string; binding: string })[] = [];
  for (const one of await casesOf<ValidatingPolicy, ValidatingBinding>(attributes, client, resources)) {
    const names = { policy: one.policy.metadata.name ?? '', binding: one.binding.metadata.name ?? '' };
    for (const denial of denials(one)) {
      for (const action of one.binding.spec.validationActions) {
        if (action === 'Deny') denied.push({ ...denial, ...names });
        if (action === 'Warn')
          attributes.warn(
            `Validation failed for ValidatingAdmissionPolicy '${names.policy}' with binding '${names.binding}': ${denial.message}`,
          );
      }
    }
  }
  if (denied.length) throw refusal(attributes, denied);
}

/** Several faults of one policy are told one after the other; the first says which status it is. */
function* denials({ policy, fault, run }: Case<ValidatingPolicy, ValidatingBinding>): Generator<Denial> {
  const failsClosed = policy.spec.failurePolicy !== 'Ignore';
  if (fault) {
    if (failsClosed) yield { message: fault, reason: 'Invalid' };
    return;
  }
  for (const validation of policy.spec.validations ?? []) {
    const { expression, reason = 'Invalid' } = validation;
    try {
      if (run(expression) !== true) yield { message: textOf(validation, run), reason };
    } catch (error) {
      const message = `expression '${expression}' resulted in error: ${messageOf(error)}`;
      if (failsClosed) yield { message, reason };
    }
  }
}

function textOf({ expression, message, messageExpression }: Validation, run: (expression: string) => any): string {
  const plain = message?.trim() || `failed expression: ${expression.trim()}`;
  if (!messageExpression) return plain;
  try {
    const text = run(messageExpression);
    return typeof text === 'string' && text.trim() && !text.includes('\n') ? text.trim() : plain;
  } catch {
    return plain;
  }
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

function refusal(
  { kind, name }: AdmissionAttributes,
  [{ policy, binding, message, reason }]: readonly (Denial & { policy: string; binding: string })[],
) {
  const { group, resource } = kind;
  const why = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`;
  return failure(
    codes[reason] ?? 422,
    reason,
    `${group ? `${resource}.${group}` : resource} ${JSON.stringify(name)} is forbidden: ${why}`,
    { name, ...(group && { group }), kind: resource, causes: [{ message: why }] },
  );
}
