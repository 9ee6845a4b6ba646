// Bindings of admission policies: on which requests, with which parameters and consequence they apply.

import { dns1123SubdomainFaults, pathSegmentFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, oneOf, required } from '../../fields.ts';
import type {
  MutatingAdmissionPolicyBinding,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { unset } from '../cells.ts';
import { defaultMatch, validateMatch } from './match.ts';
import { validateMutatingOperations } from './rules.ts';

const actions = ['Audit', 'Deny', 'Warn'];

function actionFaults(given: readonly string[] = [], path: string): FieldError[] {
  const errors = given.flatMap((action, index) => [
    ...(actions.includes(action) ? [] : [notSupported(`${path}[${index}]`, action, actions)]),
    ...(given.indexOf(action) < index ? [duplicate(`${path}[${index}]`, action)] : []),
  ]);
  if (given.includes('Deny') && given.includes('Warn'))
    errors.push(
      invalidValue(
        path,
        given,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  if (!given.length) errors.push(required(path, 'at least one validation action is required'));
  return errors;
}

function paramRefFaults(ref: ParamRef | undefined, path: string): FieldError[] {
  if (!ref) return [];
  const { name, selector, parameterNotFoundAction: action } = ref;
  const exclusive = 'name and selector are mutually exclusive';
  const errors: FieldError[] = [];
  if (name) errors.push(...invalidValues(`${path}.name`, name, pathSegmentFaults(name)));
  if (name && selector) errors.push(forbiddenField(`${path}.name`, exclusive));
  errors.push(...validateLabelSelector(selector, `${path}.selector`));
  if (name && selector) errors.push(forbiddenField(`${path}.selector`, exclusive));
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'));
  if (!action) errors.push(required(`${path}.parameterNotFoundAction`));
  else errors.push(...oneOf(`${path}.parameterNotFoundAction`, action, ['Deny', 'Allow']));
  return errors;
}

type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

const binding = (validating: boolean): KindBehaviour<Binding> => ({
  hasGeneration: true,
  cells: {
    PolicyName: (b) => b.spec?.policyName ?? '',
    ParamRef: (b) => {
      const ref = b.spec?.paramRef;
      if (!ref) return unset;
      return ref.namespace ? `${ref.namespace}/${ref.name || '*'}` : `*/${ref.name || '*'}`;
    },
  },
  strategy: {
    allowUnconditionalUpdate: false,
    plainFinalizers: true,
    metadataOnUpdate: ['whole'],
    setDefaults: (b) => defaultMatch(b.spec?.matchResources),
    validate(b) {
      const { policyName, validationActions, paramRef, matchResources } =
        (b as ValidatingAdmissionPolicyBinding).spec ?? {};
      const errors = policyName
        ? invalidValues('spec.policyName', policyName, dns1123SubdomainFaults(policyName))
        : [required('spec.policyName')];
      errors.push(
        ...paramRefFaults(paramRef, 'spec.paramRef'),
        ...validateMatch(matchResources, 'spec.matchResources'),
      );
      if (validating) return [...errors, ...actionFaults(validationActions, 'spec.validationActions')];
      const rules = matchResources?.resourceRules;
      return [...errors, ...validateMutatingOperations(rules, 'spec.matchResources.resourceRules')];
    },
  },
});

export const validatingAdmissionPolicyBinding = binding(true);
export const mutatingAdmissionPolicyBinding: KindBehaviour<Binding> = {
  ...binding(false),
  storedAs: 'admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicyBinding',
};
