import type { FieldError } from '../../errors.ts';
import { invalidValue, notSupported, required } from '../../fields.ts';
import type { FlowSchema } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const lowest = 10000;

export const flowSchema: KindBehaviour<FlowSchema> = {
  hasGeneration: true,
  cells: {
    PriorityLevel: (s) => s.spec?.priorityLevelConfiguration?.name ?? none,
    MatchingPrecedence: (s) => s.spec?.matchingPrecedence ?? 0,
    DistinguisherMethod: (s) => s.spec?.distinguisherMethod?.type ?? none,
    MissingPL: (s) => s.status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
  },
  strategy: {
    setDefaults(s) {
      s.spec ??= {} as NonNullable<FlowSchema['spec']>;
      s.spec.matchingPrecedence ||= 1000;
    },
    validate,
  },
};

function validate(s: FlowSchema): FieldError[] {
  const spec = s.spec!;
  const errors: FieldError[] = [];
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) errors.push(invalidValue('spec.matchingPrecedence', precedence, 'must be a positive value'));
  if (precedence > lowest)
    errors.push(invalidValue('spec.matchingPrecedence', precedence, `must not be greater than ${lowest}`));
  const method = spec.distinguisherMethod?.type as string | undefined;
  if (spec.distinguisherMethod && method !== 'ByUser' && method !== 'ByNamespace')
    errors.push(notSupported('spec.distinguisherMethod.type', { Type: method ?? '' }, ['ByNamespace', 'ByUser']));
  if (!spec.priorityLevelConfiguration?.name)
    errors.push(required('spec.priorityLevelConfiguration.name', 'must reference a priority level'));
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    const path = `spec.rules[${index}]`;
    if (!rule.subjects?.length) errors.push(required(`${path}.subjects`, 'subjects must contain at least one value'));
    if (!rule.resourceRules?.length && !rule.nonResourceRules?.length)
      errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
    for (const [i, resource] of (rule.resourceRules ?? []).entries())
      errors.push(...validateVerbs(resource.verbs ?? [], `${path}.resourceRules[${i}].verbs`));
  }
  return errors;
}

function validateVerbs(given: readonly string[], path: string): FieldError[] {
  if (!given.length) return [required(path, 'verbs must contain at least one value')];
  if (given.includes('*'))
    return given.length > 1 ? [invalidValue(path, given, "if '*' is present, must not specify other verbs")] : [];
  return given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)];
}
