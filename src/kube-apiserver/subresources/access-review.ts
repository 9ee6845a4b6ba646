// Validates SubjectAccessReviews and makes the question for the authorizers.

import type {
  FieldSelectorAttributes,
  NonResourceAttributes,
  ObjectMeta,
  ResourceAttributes,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from '../../api/api.ts';
import type { FieldRequirement } from '../../machinery/selectors/field-selector.ts';
import { labelValueFaults, qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Attributes } from '../access/authorization.ts';
import { fieldRequirements, labelRequirements } from '../access/selector-requirements.ts';
import type { UserInfo } from '../request/user.ts';
import { failure } from '../status.ts';

interface Fault {
  readonly reason: 'FieldValueInvalid' | 'FieldValueRequired' | 'FieldValueForbidden';
  readonly field: string;
  readonly message: string;
}

const invalidValue = (field: string, value: string, why: string): Fault => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${value}: ${why}`,
});

/** Throws 422 with all faults. `subject`: a subject is required; `namespace`: the path's. */
export function checkReview(
  { spec, metadata }: SubjectAccessReview,
  { subject, namespace }: { readonly subject?: boolean; readonly namespace?: string },
): void {
  const faults = [
    ...attributeFaults(spec),
    ...(subject && !spec.user && !spec.groups?.length
      ? [invalidValue('spec.user', '""', 'at least one of user or group must be specified')]
      : []),
    ...selectorFaults(spec.resourceAttributes),
    ...metadataFaults(metadata, namespace),
    ...(namespace === undefined ? [] : localFaults(spec, namespace)),
  ];
  if (!faults.length) return;
  const group = 'authorization.k8s.io';
  const texts = faults.map(({ field, message }) => `${field}: ${message}`);
  const message = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  throw failure(422, 'Invalid', `.${group} "" is invalid: ${message}`, { group, causes: faults });
}

function attributeFaults({
  resourceAttributes: resource,
  nonResourceAttributes: path,
}: SubjectAccessReviewSpec): Fault[] {
  const one = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  if (resource && path)
    return [
      invalidValue(
        'spec.nonResourceAttributes',
        shownPath(path),
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  return resource || path ? [] : [invalidValue('spec.resourceAttributes', 'null', one)];
}

/** As Kubernetes' internal type. */
const shownPath = ({ path = '', verb = '' }: NonResourceAttributes) => JSON.stringify({ Path: path, Verb: verb });

function selectorFaults(resource: ResourceAttributes | undefined): Fault[] {
  return (['fieldSelector', 'labelSelector'] as const).flatMap((name): Fault[] => {
    const selector = resource?.[name];
    const path = `spec.resourceAttributes.${name}`;
    if (!selector) return [];
    const { rawSelector, requirements } = selector;
    const why = 'may not specified at the same time as requirements';
    const faults =
      rawSelector && requirements?.length
        ? [invalidValue(`${path}.rawSelector`, JSON.stringify(rawSelector), why)]
        : [];
    if (!rawSelector && !requirements?.length)
      faults.push(
        required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`),
      );
    const check = name === 'fieldSelector' ? fieldFaults : labelFaults;
    return [...faults, ...(requirements ?? []).flatMap((one, index) => check(one, `${path}.requirements[${index}]`))];
  });
}

const required = (field: string, why: string): Fault => ({
  reason: 'FieldValueRequired',
  field,
  message: `Required value: ${why}`,
});

type Requirement = Partial<NonNullable<FieldSelectorAttributes['requirements']>[number]>;

const fieldFaults = (requirement: Requirement, path: string): Fault[] => [
  ...(requirement.key ? [] : [required(`${path}.key`, 'must be specified')]),
  ...valueFaults(requirement, path),
];

const labelFaults = (requirement: Requirement, path: string): Fault[] => [
  ...valueFaults(requirement, path),
  ...qualifiedNameFaults(requirement.key ?? '').map((why) =>
    invalidValue(`${path}.key`, JSON.stringify(requirement.key ?? ''), why),
  ),
  ...(requirement.values ?? []).flatMap((value, index) =>
    labelValueFaults(value).map((why) => invalidValue(`${path}.values[${index}]`, JSON.stringify(value), why)),
  ),
];

/** Operators that the server does not have are left to newer clients. */
function valueFaults({ operator, values = [] }: Requirement, path: string): Fault[] {
  const field = `${path}.values`;
  if (operator === 'In' || operator === 'NotIn')
    return values.length ? [] : [required(field, "must be specified when `operator` is 'In' or 'NotIn'")];
  if ((operator !== 'Exists' && operator !== 'DoesNotExist') || !values.length) return [];
  const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
  return [{ reason: 'FieldValueForbidden', field, message }];
}

function metadataFaults(metadata: Partial<ObjectMeta> | undefined, namespace: string | undefined): Fault[] {
  const { managedFields: _, namespace: own, ...rest } = metadata ?? {};
  const given = namespace === undefined && own ? { ...rest, namespace: own } : rest;
  if (!Object.keys(given).length) return [];
  const why = namespace === undefined ? 'must be empty' : 'must be empty except for namespace';
  return [invalidValue('metadata', JSON.stringify(metadata), why)];
}

function localFaults(
  { resourceAttributes: resource, nonResourceAttributes: path }: SubjectAccessReviewSpec,
  namespace: string,
): Fault[] {
  const faults: Fault[] = [];
  if (resource && (resource.namespace ?? '') !== namespace)
    faults.push(
      invalidValue(
        'spec.resourceAttributes.namespace',
        JSON.stringify(resource.namespace ?? ''),
        'must match metadata.namespace',
      ),
    );
  if (path)
    faults.push(invalidValue('spec.nonResourceAttributes', shownPath(path), 'disallowed on this kind of request'));
  return faults;
}

const nothing = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '', rest: '', path: '' };

/** The question, and an error about selectors that are not valid. */
export async function reviewedAttributes(
  spec: SubjectAccessReviewSpec,
  user: UserInfo,
  clock: Pick<Clock, 'monotonic'>,
): Promise<{ attributes: Attributes; evaluationError: string }> {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (path)
    return {
      attributes: { ...nothing, user, isResource: false, path: path.path ?? '', verb: path.verb ?? '' },
      evaluationError: '',
    };
  const { requirements, faulty } = await requirementsOf(resource?.fieldSelector, clock);
  const labels = resource?.labelSelector?.rawSelector;
  const ignored = (name: string, some: boolean) =>
    `spec.resourceAttributes.${name} ${some ? 'partially ignored' : 'ignored'} due to parse error`;
  const errors = [
    ...(faulty ? [ignored('fieldSelector', requirements.length > 0)] : []),
    ...(labels && !(await labelRequirements(labels, clock)) ? [ignored('labelSelector', false)] : []),
  ];
  const { group = '', resource: kind = '', subresource = '', namespace = '', verb = '', name = '' } = resource ?? {};
  return {
    attributes: {
      ...nothing,
      user,
      isResource: true,
      verb,
      group,
      version: resource?.version || '*',
      resource: kind,
      subresource,
      namespace,
      name,
      ...(requirements.length && { fieldSelector: requirements }),
    },
    evaluationError: errors.join('; '),
  };
}

const operators: Readonly<Record<string, '=' | '!='>> = { In: '=', NotIn: '!=' };

/** Invalid requirements are left out. The rest selects more objects, so this grants no right. */
async function requirementsOf(
  selector: FieldSelectorAttributes | undefined,
  clock: Pick<Clock, 'monotonic'>,
): Promise<{ requirements: readonly FieldRequirement[]; faulty: boolean }> {
  if (selector?.rawSelector) {
    const requirements = await fieldRequirements(selector.rawSelector, clock);
    return { requirements: requirements ?? [], faulty: !requirements };
  }
  const given = selector?.requirements ?? [];
  const requirements = given.flatMap(({ key = '', operator, values }): FieldRequirement[] =>
    operators[operator] && values?.length === 1
      ? [{ field: key, operator: operators[operator], value: values[0] }]
      : [],
  );
  return { requirements, faulty: requirements.length < given.length };
}
