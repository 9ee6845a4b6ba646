// Webhooks see objects in the version that their rules name, whatever the version of the request (matchPolicy).
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchpolicy

import type { ApiObject, Kind, ValidatingWebhook } from '../../../api/api.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { matches } from '../policies/match.ts';

/** The version in which the webhook wants to see the object: the request's own if it can; undefined if in none. */
export function versionFor(
  { rules = [], namespaceSelector, objectSelector, matchPolicy }: ValidatingWebhook,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
): Kind | undefined {
  const { kind, server } = attributes;
  const match = { resourceRules: [...rules], namespaceSelector, objectSelector };
  if (matches(match, attributes, namespace)) return kind;
  if (matchPolicy === 'Exact' || !rules.some((rule) => rule.apiGroups?.some((g) => g === '*' || g === kind.group)))
    return undefined;
  return server.kinds
    .all()
    .filter(
      ({ group, resource, version }) => group === kind.group && resource === kind.resource && version !== kind.version,
    )
    .find((other) => matches(match, attributes, namespace, other));
}

/** `object` of one version in another. */
export async function converted(object: ApiObject, from: Kind, to: Kind): Promise<ApiObject> {
  if (from === to) return object;
  await from.prepareConversion?.([object], from.storageVersion);
  const stored = from.toStorage ? from.toStorage(object) : object;
  await to.prepareConversion?.([stored], to.version);
  return (to.fromStorage ? to.fromStorage(stored) : stored) as ApiObject;
}
