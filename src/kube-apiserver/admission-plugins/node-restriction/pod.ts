import { apiReferenceOf, type Node, notFound, type Pod } from '../../../api/api.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import type { NodeRequest } from './node-request.ts';
import { absentOr } from './node-request.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** Nodes may create mirror pods, and delete, evict and report on their pods. */
export function admitPod(request: NodeRequest): Promise<void> | void {
  const { node, operation, subresource, refuse } = request;
  const who = `node ${JSON.stringify(node)}`;
  switch (subresource) {
    case '':
      if (operation === 'CREATE') return admitMirror(request);
      if (operation === 'DELETE') return onlyOwn(request, `${who} can only delete pods`);
      throw refuse(`unexpected operation ${JSON.stringify(operation)}, ${who} can only create and delete mirror pods`);
    case 'status':
      return admitStatus(request);
    case 'eviction':
      return onlyOwn(request, `node ${node} can only evict pods`);
    default:
      throw refuse(
        `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`,
      );
  }
}

async function onlyOwn({ node, client, namespace, name, kind, oldObject, refuse }: NodeRequest, action: string) {
  const pod = (oldObject as Pod | undefined) ?? (await absentOr(client.get('pods', { namespace, name })));
  if (!pod) throw notFound(kind, name);
  if (pod.spec?.nodeName !== node) throw refuse(`${action} with spec.nodeName set to itself`);
}

async function admitMirror(request: NodeRequest): Promise<void> {
  const { node, object, refuse } = request;
  const pod = object as Pod;
  const who = `node ${JSON.stringify(node)}`;
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
    throw refuse(
      `pod does not have ${JSON.stringify(mirrorAnnotation)} annotation, ${who} can only create mirror pods`,
    );
  if (pod.spec?.nodeName !== node) throw refuse(`${who} can only create pods with spec.nodeName set to itself`);
  await checkOwner(request, pod);
  const reference = apiReferenceOf(pod, (why) => refuse(`error checking mirror pod for API references: ${why}`));
  if (reference) throw refuse(`${who} can not create pods that reference ${reference}`);
}

async function checkOwner({ node, client, refuse }: NodeRequest, { metadata }: Pod): Promise<void> {
  const who = `node ${JSON.stringify(node)}`;
  const owners = metadata.ownerReferences ?? [];
  if (owners.length > 1) throw refuse(`${who} can only create pods with a single owner reference set to itself`);
  const [owner] = owners;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    throw refuse(`${who} can only create pods with an owner reference set to itself`);
  if (!owner.controller) throw refuse(`${who} can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion) throw refuse(`${who} must not set blockOwnerDeletion on an owner reference`);
  const found: Node | undefined = await absentOr(client.get('nodes', { name: node }));
  if (!found) throw notFound({ group: '', resource: 'nodes' }, node);
  if (owner.uid !== found.metadata.uid)
    throw refuse(`node ${node} UID mismatch: expected ${owner.uid} got ${found.metadata.uid}`);
}

function admitStatus({ node, operation, object, oldObject, refuse }: NodeRequest): void {
  const who = `node ${JSON.stringify(node)}`;
  if (operation !== 'UPDATE') throw refuse(`unexpected operation ${JSON.stringify(operation)}`);
  const [next, old] = [object, oldObject] as Pod[];
  if (old.spec.nodeName !== node)
    throw refuse(`${who} can only update pod status for pods with spec.nodeName set to itself`);
  if (!deepEqual(next.metadata.labels ?? {}, old.metadata.labels ?? {}))
    throw refuse(`${who} cannot update labels through pod status`);
  if (!deepEqual(next.status?.resourceClaimStatuses ?? [], old.status?.resourceClaimStatuses ?? []))
    throw refuse(`${who} cannot update resource claim statues`);
  if (!deepEqual(next.status?.extendedResourceClaimStatus, old.status?.extendedResourceClaimStatus))
    throw refuse(`${who} cannot update extended resource claim status`);
}
