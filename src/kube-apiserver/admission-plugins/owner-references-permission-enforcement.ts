import { type ApiObject, forbidden, type Kind, type OwnerReference } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { type Decision, decide } from '../access/authorization.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import type { RequestInfo } from '../request/request-info.ts';

/**
 * Changing owners needs the right to delete the object, and blocking an owner's deletion the right to set its
 * finalizers.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#ownerreferencespermissionenforcement
 */
export const ownerReferencesPermissionEnforcement: AdmissionPlugin = {
  name: 'OwnerReferencesPermissionEnforcement',
  validate(attributes) {
    const { operation, kind, subresource, object, oldObject } = attributes;
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || !object) return;
    const isPodStatus = kind.group === '' && kind.resource === 'pods' && subresource === 'status';
    if (isPodStatus || deepEqual(ownersOf(object), ownersOf(oldObject))) return;
    return check(attributes, object);
  },
};

const ownersOf = (object: ApiObject | undefined): readonly OwnerReference[] => object?.metadata?.ownerReferences ?? [];

async function check(attributes: AdmissionAttributes, object: ApiObject): Promise<void> {
  const { kind, name, operation, oldObject } = attributes;
  const refuse = (why: string) => forbidden(kind, name, why);
  if (operation !== 'CREATE') {
    const { group, version, resource } = kind;
    const { subresource, namespace } = attributes;
    const answer = await ask(attributes, { verb: 'delete', group, version, resource, subresource, namespace, name });
    if (answer.decision !== 'allow')
      throw refuse(`cannot set an ownerRef on a resource you can't delete: ${answer.reason ?? ''}, <nil>`);
  }
  const before = ownersOf(oldObject).filter(({ blockOwnerDeletion }) => blockOwnerDeletion);
  const blocking = ownersOf(object).filter(
    ({ blockOwnerDeletion, uid }) => blockOwnerDeletion && !before.some((old) => old.uid === uid),
  );
  if (!blocking.length || (await mayFinalizeAll(attributes))) return;
  for (const owner of blocking) await checkOwner(attributes, owner, refuse);
}

type Asked = Pick<RequestInfo, 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'namespace' | 'name'>;

const ask = ({ server, user }: AdmissionAttributes, asked: Asked): Promise<Decision> =>
  decide(server.authorizers, { user, ...asked, isResource: true, path: '', rest: '' });

async function mayFinalizeAll(attributes: AdmissionAttributes): Promise<boolean> {
  const all = { group: '*', version: '*', resource: '*', name: '*' };
  const { decision } = await ask(attributes, { verb: 'update', ...all, subresource: 'finalizers', namespace: '' });
  return decision === 'allow';
}

async function checkOwner(
  attributes: AdmissionAttributes,
  { apiVersion, kind, name }: OwnerReference,
  refuse: (why: string) => Error,
): Promise<void> {
  const owner = attributes.server.kinds.all().find((one) => one.kind === kind && versionOf(one) === apiVersion);
  if (!owner)
    throw refuse(
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`,
    );
  const { group, version, resource, namespaced } = owner;
  const namespace = namespaced ? attributes.namespace : '';
  const asked = { verb: 'update', group, version, resource, subresource: 'finalizers', namespace, name };
  const { decision, reason = '' } = await ask(attributes, asked);
  if (decision !== 'allow')
    throw refuse(
      `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`,
    );
}

const versionOf = ({ group, version }: Kind): string => (group ? `${group}/${version}` : version);
