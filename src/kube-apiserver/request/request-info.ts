// Reads a path. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

import { unescaped } from '../../machinery/text/percent.ts';
import { isTrue } from './query.ts';

export type ApiVerb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  | (string & {});

/** The meaning of a path and a method: authorization and routing decide by these attributes. */
export interface RequestInfo {
  readonly isResource: boolean;
  readonly path: string;
  /** For paths that are no resource: the method in lower case. */
  readonly verb: ApiVerb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** '' for cluster-scoped resources and for all namespaces. For a namespace object: its name. */
  readonly namespace: string;
  readonly name: string;
  /** The path behind a subresource, such as that of a proxied request. */
  readonly rest: string;
  /** The verb is part of the path, as in /api/v1/watch/pods: then authorizers ignore selectors. */
  readonly viaPath?: boolean;
}

const verbOfMethod: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of a namespace; other segments after its name are resources in it. */
const namespaceSubresources = new Set(['status', 'finalize']);

/** Verbs that once stood before the resource. `proxy` has no route any more, but is still a verb to have a right to. */
const pathVerbs = new Set(['watch', 'proxy']);

const streaming = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);

/** Requests that may take as long as the client likes. They hold no place in a queue and are audited as they begin. */
export const isLongRunning = (info: RequestInfo): boolean => info.verb === 'watch' || isConnection(info);

/** Requests that are passed on to a node, a pod or a service. */
export const isConnection = ({ verb, subresource }: RequestInfo): boolean =>
  verb === 'proxy' || streaming.has(subresource);

export function requestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = split(path);
  const core = parts[0] === 'api';
  if (core ? parts.length < 3 : parts[0] !== 'apis' || parts.length < 4)
    return { ...nothing, path, verb: method.toLowerCase() };
  const group = core ? '' : parts[1];
  const version = core ? parts[1] : parts[2];
  let at = core ? 2 : 3;
  const pathVerb = pathVerbs.has(parts[at]) && parts.length > at + 1 ? parts[at] : undefined;
  if (pathVerb) at++;
  let namespace = '';
  if (parts[at] === 'namespaces' && parts.length > at + 1) {
    namespace = parts[at + 1];
    if (parts.length > at + 2 && !namespaceSubresources.has(parts[at + 2])) at += 2;
  }
  const [resource = '', name = '', third = ''] = parts.slice(at, at + 3);
  const subresource = pathVerb === 'proxy' ? '' : third;
  return {
    isResource: true,
    path,
    verb: pathVerb ?? verbOf(method, name, query),
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    rest: subresource === 'proxy' ? behind(path, at + 3) : parts.slice(at + 3).join('/'),
    ...(pathVerb && { viaPath: true }),
  };
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  const verb = verbOfMethod[method] ?? '';
  if (name) return verb;
  if (verb === 'get') return isTrue(query.get('watch')) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** The path behind this many segments, unchanged: an object may have the name of its subresource. */
function behind(path: string, segments: number): string {
  let end = path.startsWith('/') ? 0 : -1;
  for (let i = 0; i < segments; i++) {
    end = path.indexOf('/', end + 1);
    if (end < 0) return '';
  }
  return path.slice(end);
}

const nothing = {
  isResource: false,
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  rest: '',
} as const;

function split(path: string): string[] {
  const parts = path.split('/');
  const first = parts[0] === '' ? 1 : 0;
  const end = parts.at(-1) === '' ? parts.length - 1 : parts.length;
  const inner = parts.slice(first, end);
  return path.includes('%') ? inner.map(unescaped) : inner;
}
