// The operations of the API as OpenAPI lists them, in v2 and v3: they follow from discovery.

import type { Kind, SubresourceInfo, SubresourceOptions } from '../../api/api.ts';
import { optionParameters, type Parameter, parametersOf, pathParameters } from './parameters.ts';

type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';

interface GroupVersionKind {
  readonly group: string;
  readonly kind: string;
  readonly version: string;
}

export interface Operation {
  readonly method: Method;
  readonly id: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly consumes?: readonly string[];
  readonly produces: readonly string[];
  readonly parameters: readonly Parameter[];
  /** Name of the body's type. */
  readonly body?: { readonly type: string; readonly required: boolean };
  /** Code -> name of the answer's type, `string` for a text. */
  readonly answers: Readonly<Record<number, string>>;
  readonly action?: string;
  readonly gvk?: GroupVersionKind;
}

export interface PathItem {
  readonly path: string;
  readonly operations: readonly Operation[];
}

const json = 'application/json';
const yaml = 'application/yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';
export const objectTypes = [json, yaml, protobuf];
const streamTypes = [...objectTypes, `${json};stream=watch`, `${protobuf};stream=watch`];
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json'];
const strategicPatch = 'application/strategic-merge-patch+json';
const applyPatch = 'application/apply-patch+yaml';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Removes characters that no identifier may have; the letter behind them becomes a capital. */
export const identifier = (text: string, capital: boolean): string => {
  const joined = text.replace(/[^a-zA-Z0-9]+([a-zA-Z0-9])?/g, (_, letter = '') => letter.toUpperCase());
  return capital ? joined.charAt(0).toUpperCase() + joined.slice(1) : joined;
};

export const shortGroup = (group: string): string => (group || 'core').replace(/\.k8s\.io$/, '');

/** The parts that all operations on one resource share. */
interface Place {
  readonly kind: Kind;
  readonly typeName: (group: string, version: string, kind: string) => string;
  /** The kind of request and response: the resource's or the subresource's. */
  readonly type: GroupVersionKind;
  readonly scope: 'Namespaced' | '';
  /** In identifiers, such as PodStatus. */
  readonly noun: string;
  /** In descriptions, such as `status of `. */
  readonly part: string;
}

/** Plurals have none. */
function withArticle(noun: string): string {
  if (noun.endsWith('s') && !noun.endsWith('ss')) return noun;
  return `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

interface Form {
  readonly method: Method;
  readonly action: string;
  /** How the identifier begins. */
  readonly prefix: string;
  describe(place: Place): string;
  readonly codes: readonly number[];
  readonly answer: 'object' | 'list' | 'event' | 'status';
  readonly options: 'list' | 'write' | 'patch' | 'delete' | 'deletecollection' | 'none';
  readonly body?: 'object' | 'Patch' | 'DeleteOptions';
}

const kindOf = ({ kind }: Place) => kind.kind;

const forms: Readonly<Record<string, Form>> = {
  list: {
    method: 'get',
    action: 'list',
    prefix: 'list',
    describe: (place) =>
      `list ${place.kind.verbs.includes('watch') && !place.kind.custom ? 'or watch ' : ''}objects of kind ${kindOf(place)}`,
    codes: [200],
    answer: 'list',
    options: 'list',
  },
  create: {
    method: 'post',
    action: 'post',
    prefix: 'create',
    describe: (place) => `create ${place.part}${withArticle(kindOf(place))}`,
    codes: [200, 201, 202],
    answer: 'object',
    options: 'write',
    body: 'object',
  },
  deletecollection: {
    method: 'delete',
    action: 'deletecollection',
    prefix: 'delete',
    describe: (place) => `delete collection of ${kindOf(place)}`,
    codes: [200],
    answer: 'status',
    options: 'deletecollection',
    body: 'DeleteOptions',
  },
  get: {
    method: 'get',
    action: 'get',
    prefix: 'read',
    describe: (place) => `read ${place.part}the specified ${kindOf(place)}`,
    codes: [200],
    answer: 'object',
    options: 'none',
  },
  update: {
    method: 'put',
    action: 'put',
    prefix: 'replace',
    describe: (place) => `replace ${place.part}the specified ${kindOf(place)}`,
    codes: [200, 201],
    answer: 'object',
    options: 'write',
    body: 'object',
  },
  delete: {
    method: 'delete',
    action: 'delete',
    prefix: 'delete',
    describe: (place) => `delete ${withArticle(kindOf(place))}`,
    codes: [200, 202],
    answer: 'status',
    options: 'delete',
    body: 'DeleteOptions',
  },
  patch: {
    method: 'patch',
    action: 'patch',
    prefix: 'patch',
    describe: (place) => `partially update ${place.part}the specified ${kindOf(place)}`,
    codes: [200, 201],
    answer: 'object',
    options: 'patch',
    body: 'Patch',
  },
  watch: {
    method: 'get',
    action: 'watch',
    prefix: 'watch',
    describe: (place) =>
      `watch changes to an object of kind ${kindOf(place)}. deprecated: use the 'watch' parameter with a list operation instead, filtered to a single item with the 'fieldSelector' parameter.`,
    codes: [200],
    answer: 'event',
    options: 'list',
  },
  watchlist: {
    method: 'get',
    action: 'watchlist',
    prefix: 'watch',
    describe: (place) =>
      `watch individual changes to a list of ${kindOf(place)}. deprecated: use the 'watch' parameter with a list operation instead.`,
    codes: [200],
    answer: 'event',
    options: 'list',
  },
};

/** These answer a delete with the object that was deleted. */
const answersDeleted = new Set(
  [
    'PersistentVolumeClaim',
    'Pod',
    'PodTemplate',
    'ResourceQuota',
    'ServiceAccount',
    'Service',
    'PersistentVolume',
  ].concat(
    ['DeviceClass', 'ResourceClaim', 'ResourceClaimTemplate', 'ResourceSlice', 'DeviceTaintRule'],
    ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass'],
  ),
);

/** Kinds without server-side apply: their writes have no field manager. */
const plainWrites = new Set(['Binding', 'Eviction', 'TokenRequest']);

function operation(place: Place, form: Form, suffix = ''): Operation {
  const { kind, type, typeName } = place;
  const own = typeName(type.group, type.version, type.kind);
  const answer = {
    object: own,
    list: typeName(kind.group, kind.version, kind.listKind),
    event: `${meta}WatchEvent`,
    status: form.action === 'delete' && answersDeleted.has(kind.kind) && !kind.custom ? own : `${meta}Status`,
  }[form.answer];
  const [group, version] = [identifier(shortGroup(kind.group), true), identifier(kind.version, true)];
  const collection = form.action === 'deletecollection' ? 'Collection' : '';
  const isStream = form.answer === 'list' || form.answer === 'event';
  const bodyType = form.body === 'object' ? own : `${meta}${form.body}`;
  return {
    method: form.method,
    id: `${form.prefix}${group}${version}${collection}${place.scope}${place.noun}${suffix}`,
    description: form.describe(place),
    tags: tagsOf(kind),
    consumes: consumedBy(kind, form),
    produces: kind.custom ? [json, yaml] : isStream ? streamTypes : objectTypes,
    parameters: parametersOf(form.options, place.kind.custom === true),
    ...(form.body && { body: { type: bodyType, required: form.body !== 'DeleteOptions' } }),
    answers: Object.fromEntries(form.codes.map((code) => [code, answer])),
    action: form.action,
    gvk: place.part && !plainWrites.has(type.kind) && type.kind !== 'Scale' ? gvkOf(kind) : type,
  };
}

function consumedBy({ custom }: Kind, { method }: Form): readonly string[] {
  if (method === 'patch') return custom ? [...patchTypes, applyPatch] : [...patchTypes, strategicPatch, applyPatch];
  return custom ? [json, yaml] : ['*/*'];
}

const gvkOf = ({ group, kind, version }: Kind): GroupVersionKind => ({ group, kind, version });

const tagsOf = ({ group, version }: { group: string; version: string }): string[] => [
  `${identifier(shortGroup(group), false)}_${identifier(version, false)}`,
];

/** Paths of one kind with its subresources and, if built-in, its watches. */
export function operationsOf(kind: Kind, typeName: Place['typeName']): PathItem[] {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  const scope = kind.namespaced ? 'Namespaced' : '';
  const within = kind.namespaced ? `namespaces/{namespace}/${kind.resource}` : kind.resource;
  const place: Place = { kind, typeName, type: gvkOf(kind), scope, noun: kind.kind, part: '' };
  const items: PathItem[] = [];
  const add = (path: string, operations: readonly Operation[]) => {
    const common = pathParameters(path, kind.kind);
    const all = operations.map((one) => ({ ...one, parameters: [...common, ...one.parameters] }));
    if (all.length) items.push({ path, operations: all });
  };
  const of = (verbs: readonly string[], at = place) =>
    verbs.filter((verb) => kind.verbs.includes(verb as 'get')).map((verb) => operation(at, forms[verb]));
  add(`${root}/${within}`, of(['list', 'create', 'deletecollection']));
  add(`${root}/${within}/{name}`, of(['get', 'update', 'patch', 'delete']));
  if (kind.namespaced && kind.verbs.includes('list'))
    add(`${root}/${kind.resource}`, [operation({ ...place, scope: '' }, forms.list, 'ForAllNamespaces')]);
  for (const sub of kind.subresources)
    for (const [path, list] of subresource(place, sub)) add(`${root}/${within}/${path}`, list);
  if (kind.custom || !kind.verbs.includes('watch')) return items;
  add(`${root}/watch/${within}`, [operation(place, forms.watchlist, 'List')]);
  add(`${root}/watch/${within}/{name}`, [operation(place, forms.watch)]);
  if (kind.namespaced)
    add(`${root}/watch/${kind.resource}`, [
      operation({ ...place, scope: '' }, forms.watchlist, 'ListForAllNamespaces'),
    ]);
  return items;
}

const connectMethods: readonly Method[] = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
function subresource(place: Place, { name, verbs, kind: type }: SubresourceInfo): [string, Operation[]][] {
  const { kind } = place;
  const noun = `${kind.kind}${identifier(name, true)}`;
  const connection = kind.connections?.[name];
  if (connection) return connects({ ...place, noun }, name, connection);
  const own = {
    ...place,
    noun,
    part: `${name} of `,
    type: type.version ? type : { ...type, group: kind.group, version: kind.version },
  };
  const options = kind.texts?.[name];
  if (options) return [[`{name}/${name}`, [readText(own, options)]]];
  const order = ['get', 'update', 'patch', 'create', 'delete'].filter((verb) => verbs.includes(verb));
  return [[`{name}/${name}`, order.map((verb) => operation(own, forms[verb]))]];
}

function readText(place: Place, options: SubresourceOptions): Operation {
  const read = operation({ ...place, type: gvkOf(place.kind) }, forms.get);
  return {
    ...read,
    produces: ['text/plain', ...objectTypes],
    parameters: optionParameters(options),
    answers: { 200: 'string' },
  };
}

function connects(place: Place, name: string, options: SubresourceOptions): [string, Operation[]][] {
  const { kind, noun, scope } = place;
  const [group, version] = [identifier(shortGroup(kind.group), true), identifier(kind.version, true)];
  const isProxy = name === 'proxy';
  const one = (method: Method, suffix: string): Operation => ({
    method,
    id: `connect${group}${version}${identifier(method, true)}${scope}${noun}${suffix}`,
    description: `connect ${method.toUpperCase()} requests to ${name} of ${kind.kind}`,
    tags: tagsOf(kind),
    consumes: ['*/*'],
    produces: ['*/*'],
    parameters: optionParameters(options),
    answers: { 200: 'string' },
    action: 'connect',
    gvk: { group: '', kind: options.type, version: 'v1' },
  });
  const methods: readonly Method[] = isProxy ? connectMethods : ['get', 'post'];
  const plain: [string, Operation[]] = [`{name}/${name}`, methods.map((method) => one(method, ''))];
  if (!isProxy) return [plain];
  return [plain, [`{name}/${name}/{path}`, methods.map((method) => one(method, 'WithPath'))]];
}
