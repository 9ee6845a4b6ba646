// Reports expressions of validating policies that do not match the types of the policies' resources.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking

import {
  builtinKinds,
  type CustomResourceDefinition,
  customKinds,
  type FindKind,
  type Kind,
  typeWarnings,
} from '../api/api.ts';
import { type Controller, own } from '../client/client.ts';

const name = 'validatingadmissionpolicy-status';

export const validatingAdmissionPolicyStatus: Controller = {
  name: `${name}-controller`,
  watches: [own('validatingadmissionpolicies')],
  reads: ['customresourcedefinitions'],
  async reconcile(key, { lister, client }) {
    const policy = lister('validatingadmissionpolicies').get(key);
    const generation = policy?.metadata.generation ?? 0;
    if (!policy || generation <= (policy.status?.observedGeneration ?? 0)) return;
    const warnings = typeWarnings(policy, finder(lister('customresourcedefinitions').list()));
    const body = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: key },
      status: {
        observedGeneration: generation,
        typeChecking: warnings.length ? { expressionWarnings: warnings } : {},
      },
    };
    const options = { fieldManager: name, subresource: 'status' as const };
    await client.patch('validatingadmissionpolicies', { name: key }, { type: 'apply', body, force: true }, options);
  },
};

function finder(definitions: readonly CustomResourceDefinition[]): FindKind {
  return (group, version, wanted) => {
    const fits = (one: Kind) =>
      one.group === group && one.version === version && (one.resource === wanted.resource || one.kind === wanted.kind);
    const builtin = builtinKinds().find(fits);
    if (builtin) return builtin;
    const own = definitions.filter(({ spec }) => spec.group === group);
    return own.flatMap((crd) => customKinds(crd)).find(fits);
  };
}
