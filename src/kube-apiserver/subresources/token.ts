// serviceaccounts/token. https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/

import { type ApiObject, conflict, invalid, type Kind, notFound, schemaOfKind } from '../../api/api.ts';
import { decodeShape, served } from '../registry/codec.ts';
import { itemOf } from '../registry/get.ts';
import { cacheOf, keyOf, type Target, writeOptions } from '../registry/target.ts';
import { timestamp } from '../registry/write.ts';
import { objectReply, type Reply } from '../request.ts';
import { failure } from '../status.ts';
import type { Subresource } from './subresources.ts';

const requestKind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  get schema() {
    return schemaOfKind('authentication.k8s.io', 'v1', 'TokenRequest') ?? {};
  },
};

const leastSeconds = 600;
const mostSeconds = 2 ** 32;

export const token: Subresource = {
  async answer(target): Promise<Reply> {
    const { request, server, kind } = target;
    const options = writeOptions(request, 'CreateOptions');
    const wanted = await decodeShape(request, requestKind, options);
    const account = served(kind, itemOf(target));
    const { spec = {} } = wanted;
    const expirationSeconds = checkExpiration(spec.expirationSeconds ?? 3_600);
    if (!server.tokens) throw failure(404, 'NotFound', 'the server could not find the requested resource', {});
    const bound = spec.boundObjectRef ? await boundObject(target, spec.boundObjectRef) : undefined;
    const audiences: string[] = spec.audiences?.length ? spec.audiences : [...server.tokens.audiences];
    const { name = '', namespace = '', uid = '' } = account.metadata;
    const issued = await server.tokens.issue({
      namespace,
      serviceAccount: { name, uid },
      audiences,
      expirationSeconds,
      ...(bound && { bound: bound.reference, ...(bound.node && { node: bound.node }) }),
    });
    return objectReply(201, {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, uid: server.random.uuid(), creationTimestamp: timestamp(server.clock.now()) },
      spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: issued,
    });
  },
};

function checkExpiration(seconds: number): number {
  const refuse = (why: string) =>
    invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
      { type: 'FieldValueInvalid', field: 'spec.expirationSeconds', message: `Invalid value: ${seconds}: ${why}` },
    ]);
  if (seconds < leastSeconds) throw refuse('may not specify a duration less than 10 minutes');
  if (seconds > mostSeconds) throw refuse('may not specify a duration larger than 2^32 seconds');
  return seconds;
}

const bindable: Readonly<Record<string, string>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' };

/** The object that the token dies with, and for a pod the node it runs on. */
async function boundObject(target: Target, reference: { kind?: string; name?: string; uid?: string }) {
  const { server, namespace } = target;
  const resource = bindable[reference.kind ?? ''];
  if (!resource)
    throw failure(400, 'BadRequest', `cannot bind token for serviceaccount to object of type ${reference.kind}`);
  const object = await find(target, resource, reference.name ?? '');
  const uid = object.metadata.uid ?? '';
  const name = object.metadata.name ?? '';
  const kind = server.kinds.byResource('', 'v1', resource) as Kind;
  if (reference.uid && reference.uid !== uid)
    throw conflict(
      kind,
      name,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  const node =
    object.spec?.nodeName && resource === 'pods'
      ? await find(target, 'nodes', object.spec.nodeName).catch(() => undefined)
      : undefined;
  return {
    reference: { kind: reference.kind ?? '', name, uid, namespace },
    ...(node && { node: { name: node.metadata.name ?? '', uid: node.metadata.uid ?? '' } }),
  };
}

async function find({ server, namespace }: Target, resource: string, name: string): Promise<ApiObject> {
  const kind = server.kinds.byResource('', 'v1', resource) as Kind;
  const cache = await cacheOf(server, kind);
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item.object;
}
