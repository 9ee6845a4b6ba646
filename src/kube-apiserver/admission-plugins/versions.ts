// Converts objects to the version in the rules of webhooks and policies, for any version of the request (matchPolicy).
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchpolicy

import type { ApiObject, Kind } from '../../api/api.ts';
import type { AdmissionAttributes } from '../admission.ts';

/** The objects of a request in one version. */
export interface Shown {
  readonly kind: Kind;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
}

/** Computed once per request for all policies and webhooks. */
const equivalents = new WeakMap<AdmissionAttributes, readonly Kind[]>();

/** The other versions of the resource, and other groups' kinds of the same stored objects. */
export function equivalentKinds(attributes: AdmissionAttributes): readonly Kind[] {
  let found = equivalents.get(attributes);
  if (!found) equivalents.set(attributes, (found = findEquivalents(attributes)));
  return found;
}

const findEquivalents = ({ kind, subresource, server }: AdmissionAttributes): Kind[] =>
  server.kinds
    .all()
    .filter(
      (one) =>
        one !== kind &&
        one.resource === kind.resource &&
        one.storagePrefix === kind.storagePrefix &&
        (!subresource || one.subresources.some(({ name }) => name === subresource)),
    );

/** The request's objects as `kind` has them. Throws the answer of a conversion webhook that fails. */
export async function shownAs(kind: Kind, attributes: AdmissionAttributes): Promise<Shown> {
  const { subresource } = attributes;
  // The objects of other subresources are the same in every version.
  const differs = kind !== attributes.kind && (!subresource || subresource === 'status');
  const shown = async (object: ApiObject | undefined) =>
    object && differs ? converted(object, attributes.kind, kind) : object;
  return { kind, object: await shown(attributes.object), oldObject: await shown(attributes.oldObject) };
}

/**
 * `object` of one version in another: a copy if the versions differ. Conversions are cached per object, and admission
 * changes objects in place, so the copy must be separate.
 */
export async function converted(object: ApiObject, from: Kind, to: Kind): Promise<ApiObject> {
  if (from === to) return object;
  const copy = { ...object };
  if (from.custom) return convertedCustom(copy, to);
  const stored = from.toStorage ? from.toStorage(copy) : copy;
  return { ...(to.fromStorage ? to.fromStorage(stored) : stored) } as ApiObject;
}

/** Without a webhook only the version changes: fields outside of this version survive the conversion back. */
async function convertedCustom(object: ApiObject, to: Kind): Promise<ApiObject> {
  if (!to.prepareConversion) return { ...object, apiVersion: `${to.group}/${to.version}` };
  await to.prepareConversion([object], to.version);
  return { ...(to.fromStorage ? to.fromStorage(object) : object) } as ApiObject;
}
