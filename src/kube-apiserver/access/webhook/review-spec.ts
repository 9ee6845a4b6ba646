import type { Attributes } from '../authorization.ts';

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** The spec of a SubjectAccessReview. */
export interface ReviewSpec {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly resourceAttributes?: {
    readonly namespace: string;
    readonly verb: string;
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    readonly subresource: string;
    readonly name: string;
    readonly fieldSelector?: { readonly requirements: readonly Requirement[] };
    readonly labelSelector?: { readonly requirements: readonly Requirement[] };
  };
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
}

/** The spec of the review for a request. */
export async function reviewSpec(attributes: Attributes): Promise<ReviewSpec> {
  const { user, isResource, path, verb } = attributes;
  const who = {
    user: user.name,
    groups: user.groups,
    ...(user.uid && { uid: user.uid }),
    ...(user.extra && { extra: user.extra }),
  };
  if (!isResource) return { ...who, nonResourceAttributes: { path, verb } };
  const { namespace, group, version, resource, subresource, name, fieldSelector } = attributes;
  const fields = (fieldSelector ?? []).map(({ field, operator, value }) => ({
    key: field,
    operator: operator === '=' ? 'In' : 'NotIn',
    values: [value],
  }));
  const labels = ((await attributes.labelRequirements?.()) ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values.length > 0 && { values }),
  }));
  return {
    ...who,
    resourceAttributes: {
      ...{ namespace, verb, group, version, resource, subresource, name },
      ...(fields.length > 0 && { fieldSelector: { requirements: fields } }),
      ...(labels.length > 0 && { labelSelector: { requirements: labels } }),
    },
  };
}
