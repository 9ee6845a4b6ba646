// The AdmissionRequest: sent to webhooks, and `request` in expressions.

import type { Kind } from '../../../api/api.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { groupVersion } from '../../registry/codec.ts';

const given = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value && (typeof value !== 'object' || Object.keys(value).length > 0)),
  );

const kindOf = ({ group, version, kind }: Kind) => ({ group, version, kind });
/** The kind of the object in a request to a subresource, such as Eviction or PodExecOptions. */
function documentKind({ subresource, object }: AdmissionAttributes) {
  if (!subresource || subresource === 'status' || !object?.kind) return undefined;
  const [group, version] = groupVersion(object.apiVersion ?? '');
  return { group, version, kind: object.kind };
}

const resourceOf = ({ group, version, resource }: Kind) => ({ group, version, resource });

/** `shown` is the version in which the object is shown. Empty fields are left out, as in Kubernetes. */
export function requestOf(attributes: AdmissionAttributes, shown: Kind) {
  const { kind, operation, subresource, namespace, name, object, user, dryRun, options } = attributes;
  return {
    kind: documentKind(attributes) ?? kindOf(shown),
    requestKind: documentKind(attributes) ?? kindOf(kind),
    resource: resourceOf(shown),
    requestResource: resourceOf(kind),
    ...given({
      subResource: subresource,
      requestSubResource: subresource,
      // A name that is still to be generated is left empty.
      name: operation === 'CREATE' && object ? (object.metadata?.name ?? '') : name,
      namespace,
    }),
    operation,
    userInfo: given({ username: user.name, uid: user.uid, groups: user.groups, extra: user.extra }),
    dryRun,
    options,
  };
}
