// The AdmissionRequest: what webhooks are sent, and what expressions read as `request`.

import type { AdmissionAttributes } from '../../admission.ts';

const given = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value && (typeof value !== 'object' || Object.keys(value).length > 0)),
  );

/** As far as it is known here; what is empty is left out, as Kubernetes does. */
export function requestOf(attributes: AdmissionAttributes) {
  const { kind, operation, subresource, namespace, name, object, user, dryRun, options } = attributes;
  const { group, version, resource } = kind;
  const kindOf = { group, version, kind: kind.kind };
  const resourceOf = { group, version, resource };
  return {
    kind: kindOf,
    requestKind: kindOf,
    resource: resourceOf,
    requestResource: resourceOf,
    ...given({
      subResource: subresource,
      requestSubResource: subresource,
      // A name that is still to be generated is not known to anybody.
      name: operation === 'CREATE' && object ? (object.metadata?.name ?? '') : name,
      namespace,
    }),
    operation,
    userInfo: given({ username: user.name, uid: user.uid, groups: user.groups, extra: user.extra }),
    dryRun,
    options,
  };
}
