// Binding: a pod gets its node. Through pods/NAME/binding and, as of old, through bindings.

import { type ApiObject, type Binding, badRequest, conflict, type Kind, type Pod } from '../../api/api.ts';
import { admit, admitFinally } from '../admission.ts';
import { attributesOf } from '../registry/attributes.ts';
import { decodeShape } from '../registry/codec.ts';
import type { Operation, Place, Target } from '../registry/operation.ts';
import { matchNamespace, targetOf } from '../registry/target.ts';
import { modify } from '../registry/write/modify.ts';
import type { WriteOptions } from '../registry/write/write-options.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import { plainError } from '../status.ts';
import { timestamp } from '../timestamp.ts';
import { asDocument, documentKind } from './document.ts';
import { created, type Review, type Subresource } from './subresource.ts';

const bindingKind = documentKind('', 'v1', 'Binding');

export const binding: Subresource = {
  async answer(target, action): Promise<Reply> {
    const content = created(action);
    return bind(target, await decodeShape(target, content, bindingKind), content.options, target);
  },
};

/** POST to the collection `bindings`: the pod is named in the body. */
export const bindByBody: Review = async (operation, action) => {
  const content = created(action);
  const wanted = await decodeShape(operation, content, bindingKind);
  const metadata = { ...wanted.metadata, uid: '' }; // dropped, as of any object that is created
  if (!metadata.name) throw badRequest('Name parameter required.');
  const kind = operation.server.kinds.byResource('', 'v1', 'pods') as Kind;
  const pod = await targetOf({ ...operation, kind, name: metadata.name });
  return bind(pod, { ...wanted, metadata }, content.options, operation);
};

/** `asked` is the original operation: admission sees its resource. */
async function bind(target: Target, given: ApiObject, options: WriteOptions, asked: Operation): Promise<Reply> {
  const wanted = { ...given, metadata: { ...given.metadata } };
  matchNamespace(target, wanted);
  const { resource } = asked.kind;
  const seen = asDocument(attributesOf(target, 'CREATE', wanted, undefined, options), bindingKind);
  const attributes = { ...seen, kind: { ...seen.kind, resource }, resource };
  const plugins = target.server.admission;
  await admit(plugins, attributes);
  const admitted = (attributes.object ?? wanted) as Binding;
  validate(target, admitted);
  await admitFinally(plugins, attributes);
  const now = timestamp(target.server.clock.now());
  await modify(target, (pod) => assign(pod as Pod, admitted.target.name, admitted, now), options.dryRun);
  return objectReply(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

function validate({ name }: Place, { metadata, target }: Binding): void {
  if ((metadata?.name ?? '') !== name) throw badRequest('name in URL does not match name in Binding object');
  const faults: string[] = [];
  const { kind = '' } = target ?? {};
  if (kind && kind !== 'Node')
    faults.push(`target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`);
  if (!target?.name) faults.push('target.name: Required value');
  if (faults.length) throw plainError(faults.length > 1 ? `[${faults.join(', ')}]` : (faults[0] as string));
}

function assign(pod: Pod, node: string | undefined, { metadata }: Binding, now: string): void {
  const name = pod.metadata.name ?? '';
  const refuse = (why: string) => conflict({ group: '', resource: 'pods/binding' }, name, why);
  if (metadata?.uid && metadata.uid !== pod.metadata.uid)
    throw refuse(`Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${pod.metadata.uid}`);
  if (metadata?.resourceVersion && metadata.resourceVersion !== pod.metadata.resourceVersion)
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${metadata.resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`,
    );
  if (pod.metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  if (pod.spec.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec.nodeName = node;
  if (metadata?.annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...metadata.annotations };
  if (metadata?.labels) pod.metadata.labels = { ...pod.metadata.labels, ...metadata.labels };
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastTransitionTime: now,
  };
  // Where the pod was once nominated to is no longer of interest.
  const { nominatedNodeName: _, ...status } = pod.status ?? {};
  pod.status = { ...status, conditions: [...conditions, scheduled] };
}
