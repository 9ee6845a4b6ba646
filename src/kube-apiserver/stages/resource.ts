// Requests for resources: which verb of the registry, or which subresource, answers. Here HTTP ends: the handlers take
// operations, but for those that pass the request on.

import { type Kind, methodNotAllowed, notFound } from '../../api/api.ts';
import { answerComputed } from '../computed/answer.ts';
import { checkAccepted } from '../http/accepted.ts';
import { actionOf, operationOf } from '../registry/from-request.ts';
import { perform } from '../registry/registry.ts';
import { targetOf } from '../registry/target.ts';
import { plainText, type Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { RequestInfo } from '../request/request-info.ts';
import { methodRefused, noSuchResource } from '../status.ts';
import { reviews } from '../subresources/reviews.ts';
import { specialSubresource } from '../subresources/subresources.ts';

export const resource: Stage = async (request, next) => {
  const { info, server } = request;
  if (!info.isResource) return next();
  if (info.verb === 'proxy') throw noSuchResource();
  const kind = server.kinds.byResource(info.group, info.version, info.resource);
  if (!kind) return unknown(request);
  if (!hasPath(kind, info)) return notServed(kind.custom);
  if (info.subresource) return subresource(request, kind);
  if (request.method === 'HEAD') throw methodRefused();
  if (!answers(kind, info)) throw isClosed(kind, info.verb) ? methodNotAllowed(kind, info.verb) : methodRefused();
  if (kind.deprecation) request.warnings.push(kind.deprecation);
  checkAccepted(request, kind);
  const operation = operationOf(request, kind);
  const review = kind.virtual ? reviews[kind.resource] : undefined;
  if (review) return review(operation, await actionOf(request, kind));
  const computed = server.computed.of(kind);
  if (computed) return answerComputed(operation, await actionOf(request, kind), computed);
  const target = targetOf(operation);
  return perform(target instanceof Promise ? await target : target, await actionOf(request, kind));
};

/** Whether the router has such a path, for any method. */
function hasPath(kind: Kind, { namespace, name, subresource, rest }: RequestInfo): boolean {
  if (!kind.namespaced && namespace && !kind.isNamespace) return false;
  if (kind.isNamespace && namespace && namespace !== name) return false;
  if (kind.namespaced && !namespace && name) return false;
  if (name && !subresource && !kind.verbs.some((verb) => verb !== 'create')) return false;
  return kind.custom || !rest || subresource === 'proxy';
}

/** Whether a terminating definition rejects new objects. */
const isClosed = (kind: Kind, verb: string) => kind.custom && verb === 'create' && !kind.verbs.includes('create');

/** Whether this verb is allowed here: on a collection or on one object, in a namespace or not. */
function answers(kind: Kind, { verb, name, namespace }: RequestInfo): boolean {
  if (!kind.verbs.includes(verb as Kind['verbs'][number])) return false;
  if (verb === 'create' && name) return false;
  if (['update', 'patch', 'delete', 'get'].includes(verb) && !name) return false;
  return !kind.namespaced || namespace !== '' || ['list', 'watch'].includes(verb);
}

function unknown({ info, server }: ApiRequest): Reply {
  const group = server.kinds.all().filter((kind) => kind.group === info.group);
  return notServed(group.every((kind) => kind.custom));
}

/** Kubernetes' router has no routes for groups of custom resources if none is served. */
function notServed(custom: boolean | undefined): Reply {
  if (custom) return plainText(404, '404 page not found\n');
  throw noSuchResource();
}

async function subresource(request: ApiRequest, kind: Kind): Promise<Reply> {
  const { info } = request;
  const declared = kind.subresources.find(({ name }) => name === info.subresource);
  if (!declared) throw kind.custom ? notFound(kind, info.name) : noSuchResource();
  const special = specialSubresource(kind.resource, info.subresource);
  const isConnect = special !== undefined && 'connect' in special;
  if (!declared.verbs.includes(info.verb) && !(isConnect && special.anyVerb)) throw methodRefused();
  if (request.method === 'HEAD' && !isConnect) throw methodRefused();
  const target = await targetOf(operationOf(request, kind));
  if (isConnect) return special.connect(target, request);
  const action = await actionOf(request, special?.document ?? kind);
  return special ? special.answer(target, action) : perform(target, action);
}
