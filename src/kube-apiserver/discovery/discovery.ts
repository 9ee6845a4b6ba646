// Which groups, versions and resources are served. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api

import { createHash } from 'node:crypto';
import { comparePriority, type Kind, type KindRegistry } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { type Accepted, discoveryForm } from '../http/media-type.ts';
import { discoveryMetrics } from '../metrics/discovery-metrics.ts';
import { encodeObject, protobufMediaType, protobufSchema } from '../protobuf/protobuf.ts';
import type { RawReply, Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { discoveryListSchema } from './discovery-schema.ts';
import { openapiReply } from './openapi.ts';

/** Answers /api, /apis, their groups and versions, and /openapi; undefined for other paths. */
export async function discoveryReply(request: ApiRequest, path: string): Promise<Reply | undefined> {
  const { kinds } = request.server;
  if (path.startsWith('/openapi')) return openapiReply(request, path);
  const form = discoveryForm(request.headers.accept);
  if (path === '/api' || path === '/apis') {
    if (form.as) return aggregated(request, path === '/api', form);
    return cached(kinds, path, form, () => (path === '/api' ? coreVersions() : groupList(kinds)));
  }
  const [, root, first, second, ...more] = path.split('/');
  if (more.length) return undefined;
  if (root === 'api') return second ? undefined : versionReply(kinds, path, form, ['', first]);
  return second ? versionReply(kinds, path, form, [first, second]) : groupReply(kinds, path, form, first);
}

const coreVersions = () => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }],
});

/** The versions of each group, in the order in which clients should prefer them. */
function groupsOf(kinds: KindRegistry): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, version } of kinds.all()) {
    const versions = groups.get(group);
    if (!versions) groups.set(group, [version]);
    else if (!versions.includes(version)) versions.push(version);
  }
  for (const versions of groups.values()) versions.sort(comparePriority);
  return groups;
}

function apiGroup(name: string, versions: readonly string[]) {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

function groupList(kinds: KindRegistry) {
  const groups = [...groupsOf(kinds)].filter(([name]) => name);
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([name, versions]) => apiGroup(name, versions)),
  };
}

function groupReply(kinds: KindRegistry, path: string, form: Accepted, name: string): Reply | undefined {
  const versions = groupsOf(kinds).get(name);
  if (!name || !versions) return undefined;
  return cached(kinds, path, form, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(name, versions) }));
}

function versionReply(
  kinds: KindRegistry,
  path: string,
  form: Accepted,
  [group, version]: readonly [string, string],
): Reply | undefined {
  const of = kinds.all().filter((kind) => kind.group === group && kind.version === version);
  if (!of.length) return undefined;
  return cached(kinds, path, form, () => ({
    kind: 'APIResourceList',
    ...(group && { apiVersion: 'v1' }),
    groupVersion: group ? `${group}/${version}` : version,
    resources: of.flatMap(resourcesOf),
  }));
}

/** Whether a subresource's type is from another group, such as the Scale of deployments. */
const foreign = (kind: Kind, { group, version }: { group: string; version: string }): boolean =>
  !!version && (group !== kind.group || version !== kind.version);

function resourcesOf(kind: Kind) {
  const { resource, singular, namespaced, verbs, shortNames, categories, subresources } = kind;
  return [
    {
      name: resource,
      singularName: singular,
      namespaced,
      kind: kind.kind,
      verbs,
      ...(shortNames.length && { shortNames }),
      ...(categories.length && { categories }),
      ...(kind.verbs.includes('watch') && { storageVersionHash: hash(kind) }),
    },
    ...subresources.map((sub) => ({
      name: `${resource}/${sub.name}`,
      singularName: '',
      namespaced,
      ...(foreign(kind, sub.kind) && { ...(sub.kind.group && { group: sub.kind.group }), version: sub.kind.version }),
      kind: sub.kind.kind,
      verbs: sub.verbs,
    })),
  ];
}

/** The same for kinds that are stored in the same form; a client can compute it, and Kubernetes' own tests do. */
function hash({ group, storageVersion, kind, storedAs = `${group}/${storageVersion}/${kind}` }: Kind): string {
  return createHash('sha256').update(storedAs).digest().subarray(0, 8).toString('base64');
}

/** All groups with their content; clients cache it by its hash. */
function aggregated(request: ApiRequest, core: boolean, form: ReturnType<typeof discoveryForm>): Reply {
  const { kinds, metrics } = request.server;
  const { group, version } = must(form.as, 'as');
  if (form.profile === 'nopeer') discoveryMetrics(metrics).withoutPeers.add();
  const reply = cached(kinds, `${core ? '/api' : '/apis'}:${version}`, form, () => {
    discoveryMetrics(metrics).aggregations.add();
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: [...groupsOf(kinds)]
        .filter(([name]) => (name === '') === core)
        .map(([name, versions]) => ({
          metadata: name ? { name } : {},
          versions: versions.map((v) => ({
            version: v,
            resources: kinds
              .all()
              .filter((kind) => kind.group === name && kind.version === v)
              .map(discoveryOf),
            freshness: 'Current',
          })),
        })),
    };
  });
  const headers = { ETag: reply.etag, Vary: 'Accept', 'Cache-Control': 'public' };
  if (request.headers['if-none-match'] === reply.etag)
    return { type: 'raw', code: 304, body: '', contentType: '', headers };
  return { ...reply, contentType: `${reply.contentType};g=${group};v=${version};as=APIGroupDiscoveryList`, headers };
}

function discoveryOf(kind: Kind) {
  const own = kind.custom ? { group: kind.group, version: kind.version } : { group: '', version: '' };
  return {
    resource: kind.resource,
    responseKind: { ...own, kind: kind.kind },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length && { shortNames: kind.shortNames }),
    ...(kind.categories.length && { categories: kind.categories }),
    ...(kind.subresources.length && {
      subresources: kind.subresources.map((sub) => ({
        subresource: sub.name,
        responseKind:
          foreign(kind, sub.kind) || kind.custom ? sub.kind : { group: '', version: '', kind: sub.kind.kind },
        verbs: sub.verbs,
      })),
    }),
  };
}

interface Document {
  readonly object: object;
  readonly text: string;
  readonly etag: string;
}

const documents = new WeakMap<KindRegistry, Map<string, Document>>();

/** Discovery changes only with the kinds: each document is made once. */
function documentOf(kinds: KindRegistry, key: string, make: () => object): Document {
  let all = documents.get(kinds);
  if (!all) {
    documents.set(kinds, (all = new Map()));
    kinds.onChange(() => documents.get(kinds)?.clear());
  }
  let document = all.get(key);
  if (!document) {
    const object = make();
    const text = `${JSON.stringify(object)}\n`;
    const etag = `"${createHash('sha512').update(text).digest('hex').toUpperCase()}"`;
    all.set(key, (document = { object, text, etag }));
  }
  return document;
}

function cached(
  kinds: KindRegistry,
  key: string,
  { format }: Accepted,
  make: () => object,
): RawReply & { readonly negotiable: boolean; readonly etag: string } {
  const { object, text, etag } = documentOf(kinds, key, make);
  const reply = { type: 'raw', code: 200, etag } as const;
  if (format !== 'protobuf') return { ...reply, body: text, contentType: 'application/json', negotiable: true };
  const schema = 'items' in object ? discoveryListSchema : protobufSchema(object);
  return {
    ...reply,
    body: encodeObject(must(schema, 'schema'), object),
    contentType: protobufMediaType,
    negotiable: false,
  };
}
