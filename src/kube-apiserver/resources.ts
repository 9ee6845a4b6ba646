// Requests for resources: which verb of the registry, or which subresource, answers.

import { type Kind, methodNotAllowed, notFound } from '../api/api.ts';
import { verbs } from './registry/registry.ts';
import { targetOf } from './registry/target.ts';
import { type Reply, type Stage, textReply } from './request.ts';
import { methodRefused, noSuchResource } from './status.ts';
import { reviews } from './subresources/reviews.ts';
import { subresources } from './subresources/subresources.ts';
import { whole } from './subresources/whole.ts';

/** What every request for these is warned of. https://kubernetes.io/docs/reference/using-api/deprecation-policy/ */
const deprecated: Readonly<Record<string, string>> = {
  '/v1 componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
  '/v1 endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
};

export const resource: Stage = async (request, next) => {
  const { info, server } = request;
  if (!info.isResource) return next();
  if (info.verb === 'proxy') throw noSuchResource();
  const kind = server.kinds.byResource(info.group, info.version, info.resource);
  if (!kind) return unknown(request);
  const old = deprecated[`${kind.group}/${kind.version} ${kind.resource}`];
  if (old) request.warnings.push(old);
  if (kind.deprecation) request.warnings.push(kind.deprecation);
  if (!kind.namespaced && info.namespace && !isNamespace(kind)) return notServed(kind.custom);
  if (info.subresource) return subresource(request, kind);
  const review = kind.virtual ? reviews[kind.resource] : undefined;
  if (!answers(kind, info.verb, info.name, info.namespace))
    throw isClosed(kind, info.verb) ? methodNotAllowed(kind, info.verb) : methodRefused();
  const target = kind.virtual ? virtualTarget(request, kind) : await targetOf(request, kind);
  if (review) return review(target);
  return (whole[kind.resource]?.[info.verb] ?? verbs[info.verb])(target);
};

/** A custom resource whose definition is going takes no new objects. */
const isClosed = (kind: Kind, verb: string) => kind.custom && verb === 'create' && !kind.verbs.includes('create');

/** Virtual kinds have no cache; what they are handed must not ask for it. */
const virtualTarget = (request: Parameters<Stage>[0], kind: Kind) => ({
  request,
  server: request.server,
  kind,
  cache: undefined as never,
  namespace: kind.namespaced ? request.info.namespace : '',
  name: request.info.name,
});

/** Whether this verb is allowed here: on a collection or on one object, in a namespace or not. */
function answers(kind: Kind, verb: string, name: string, namespace: string): boolean {
  if (!kind.verbs.includes(verb as Kind['verbs'][number])) return false;
  if (verb === 'create' && name && !(kind.resource === 'namespaces')) return false;
  if (['update', 'patch', 'delete', 'get'].includes(verb) && !name) return false;
  if (kind.namespaced && !namespace && !['list', 'watch'].includes(verb) && !kind.virtual) return false;
  if (kind.namespaced && !namespace && kind.virtual) return false;
  return !(verb === 'create' && name);
}

function unknown({ info, server }: Parameters<Stage>[0]): Reply {
  const group = server.kinds.all().filter((kind) => kind.group === info.group);
  return notServed(group.every((kind) => kind.custom));
}

/** Groups that only custom resources make are unknown to Kubernetes' router where nothing of them is served. */
function notServed(custom: boolean | undefined): Reply {
  if (custom) return textReply(404, '404 page not found\n');
  throw noSuchResource();
}

const isNamespace = ({ group, resource }: Kind): boolean => group === '' && resource === 'namespaces';

async function subresource(request: Parameters<Stage>[0], kind: Kind): Promise<Reply> {
  const { info } = request;
  const declared = kind.subresources.find(({ name }) => name === info.subresource);
  if (!declared) throw kind.custom ? notFound(kind, info.name) : noSuchResource();
  const special = subresources[`${kind.resource}/${info.subresource}`] ?? subresources[`*/${info.subresource}`];
  if (!declared.verbs.includes(info.verb) && !special?.anyVerb) throw methodRefused();
  const target = await targetOf(request, kind);
  if (special) return special.answer(target);
  const verb = verbs[info.verb];
  if (!verb) throw methodRefused();
  return verb(target);
}
