// The operations of a kind, as OpenAPI lists them: they follow from what discovery says of it.

import type { Kind } from '../../api/api.ts';
import { type OpenApiVersion, reference } from './openapi-schema.ts';

interface Shape {
  readonly version: OpenApiVersion;
  /** Name of the kind's schema; undefined for what has none. */
  readonly name?: string;
}

const json = 'application/json';
const mediaTypes = [json, 'application/yaml'];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

const listParameters = [
  ['allowWatchBookmarks', 'boolean'],
  ['continue', 'string'],
  ['fieldSelector', 'string'],
  ['labelSelector', 'string'],
  ['limit', 'integer'],
  ['resourceVersion', 'string'],
  ['resourceVersionMatch', 'string'],
  ['sendInitialEvents', 'boolean'],
  ['timeoutSeconds', 'integer'],
  ['watch', 'boolean'],
] as const;
const writeParameters = [
  ['dryRun', 'string'],
  ['fieldManager', 'string'],
  ['fieldValidation', 'string'],
] as const;
const deleteParameters = [
  ['dryRun', 'string'],
  ['gracePeriodSeconds', 'integer'],
  ['orphanDependents', 'boolean'],
  ['propagationPolicy', 'string'],
] as const;

type Parameters = readonly (readonly [name: string, type: string])[];

function parameter(name: string, type: string, version: OpenApiVersion, where = 'query') {
  const own = { name, in: where, ...(where === 'path' && { required: true }) };
  return version === 2 ? { ...own, type, uniqueItems: true } : { ...own, schema: { type, uniqueItems: true } };
}

const pathParameters = (path: string, version: OpenApiVersion) =>
  ['name', 'namespace', 'path']
    .filter((name) => path.includes(`{${name}}`))
    .map((name) => parameter(name, 'string', version, 'path'));

interface Operation {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete';
  readonly action: string;
  readonly id: string;
  readonly parameters: Parameters;
}

function operation(kind: Kind, { version, name }: Shape, { method, action, id, parameters }: Operation): object {
  const schema = name ? reference(name, version) : { type: 'object' };
  const takesBody = method === 'put' || method === 'post' || method === 'patch';
  const consumes = method === 'patch' ? patchTypes : ['*/*'];
  const query = parameters.map(([parameterName, type]) => parameter(parameterName, type, version));
  const content = (types: readonly string[]) => Object.fromEntries(types.map((type) => [type, { schema }]));
  const gvk = { group: kind.group, kind: kind.kind, version: kind.version };
  const common = {
    tags: [`${kind.group.split('.')[0] || 'core'}_${kind.version}`],
    operationId: id,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
  };
  if (version === 2)
    return {
      ...common,
      consumes,
      produces: mediaTypes,
      schemes: ['https'],
      parameters: [...(takesBody ? [{ name: 'body', in: 'body', required: true, schema }] : []), ...query],
      responses: { 200: { description: 'OK', schema }, 401: { description: 'Unauthorized' } },
    };
  return {
    ...common,
    parameters: query,
    ...(takesBody && { requestBody: { content: content(consumes), required: true } }),
    responses: { 200: { description: 'OK', content: content(mediaTypes) }, 401: { description: 'Unauthorized' } },
  };
}

const actions: Readonly<Record<string, Omit<Operation, 'id'> & { verb: string }>> = {
  list: { method: 'get', action: 'list', verb: 'list', parameters: listParameters },
  create: { method: 'post', action: 'post', verb: 'create', parameters: writeParameters },
  deletecollection: {
    method: 'delete',
    action: 'deletecollection',
    verb: 'deleteCollection',
    parameters: [...deleteParameters, ...listParameters],
  },
  get: { method: 'get', action: 'get', verb: 'read', parameters: [] },
  update: { method: 'put', action: 'put', verb: 'replace', parameters: writeParameters },
  patch: { method: 'patch', action: 'patch', verb: 'patch', parameters: [...writeParameters, ['force', 'boolean']] },
  delete: { method: 'delete', action: 'delete', verb: 'delete', parameters: deleteParameters },
};

const pascal = (text: string) =>
  text.replace(/(^|[^a-zA-Z0-9])([a-zA-Z0-9])/g, (_, __, letter) => letter.toUpperCase());

/** Paths of one kind with its subresources. */
export function pathsOf(kind: Kind, shape: Shape): Record<string, object> {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.resource}` : `${root}/${kind.resource}`;
  const group = `${pascal(kind.group.replace(/\.k8s\.io$/, '') || 'core')}${pascal(kind.version)}`;
  const scope = kind.namespaced ? 'Namespaced' : '';
  const paths: Record<string, object> = {};
  const put = (path: string, verbs: readonly string[], noun: string) => {
    const operations = verbs.flatMap((verb) => {
      const found = actions[verb];
      return found
        ? [[found.method, operation(kind, shape, { ...found, id: `${found.verb}${group}${scope}${noun}` })]]
        : [];
    });
    if (!operations.length) return;
    const parameters = [...pathParameters(path, shape.version), parameter('pretty', 'string', shape.version)];
    paths[path] = { ...Object.fromEntries(operations), parameters };
  };
  const of = (...verbs: string[]) => verbs.filter((verb) => kind.verbs.includes(verb as 'get'));
  put(base, of('list', 'create', 'deletecollection'), kind.kind);
  put(`${base}/{name}`, of('get', 'update', 'patch', 'delete'), kind.kind);
  if (kind.namespaced) put(`${root}/${kind.resource}`, of('list'), `${kind.kind}ForAllNamespaces`);
  for (const { name, verbs } of kind.subresources) put(`${base}/{name}/${name}`, verbs, `${kind.kind}${pascal(name)}`);
  return paths;
}
