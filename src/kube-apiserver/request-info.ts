// Reads a path. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

import { isTrue, type RequestInfo } from './request.ts';

const verbOfMethod: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of a namespace; anything else behind its name is a resource in it. */
const namespaceSubresources = new Set(['status', 'finalize']);

export function requestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = split(path);
  const core = parts[0] === 'api';
  const nonResource = { ...nothing, path, verb: method.toLowerCase() };
  if (core ? parts.length < 3 : parts[0] !== 'apis' || parts.length < 4) return nonResource;
  const group = core ? '' : parts[1];
  const version = core ? parts[1] : parts[2];
  let rest = parts.slice(core ? 2 : 3);

  let verb = verbOfMethod[method] ?? '';
  let oldWatch = false;
  if (rest[0] === 'watch' && rest.length > 1) {
    oldWatch = true;
    rest = rest.slice(1);
  }
  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1];
    if (rest.length > 2 && !namespaceSubresources.has(rest[2])) rest = rest.slice(2);
  }
  const [resource = '', name = '', subresource = ''] = rest;
  if (!name && verb === 'get') verb = isTrue(query.get('watch')) ? 'watch' : 'list';
  if (!name && verb === 'delete') verb = 'deletecollection';
  if (oldWatch) verb = 'watch';
  return {
    isResource: true,
    path,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    rest: subresource === 'proxy' ? path.slice(path.indexOf('/proxy') + '/proxy'.length) : rest.slice(3).join('/'),
  };
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
  return path.includes('%') ? inner.map(decoded) : inner;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
