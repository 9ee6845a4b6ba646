// Discovery and OpenAPI documents of aggregated APIs, loaded on first use and cached for a minute.

import type { APIResource } from '../../api/api.ts';
import { parseJson } from '../../machinery/text/json.ts';
import type { Environment } from '../environment.ts';
import type { AggregatedApi, AggregatedDocuments, OpenApiV2, VersionDiscovery } from './aggregation.ts';
import { readRemote } from './remote-request.ts';

const freshMs = 60_000;

interface Cached<T> {
  readonly value: Promise<T | undefined>;
  readonly atMs: number;
}

const aggregatedAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

export class RemoteDocuments implements AggregatedDocuments {
  readonly #serverOf: () => Environment;
  readonly #cached = new Map<string, Cached<unknown>>();

  constructor(server: () => Environment) {
    this.#serverOf = server;
  }

  get #server(): Environment {
    return this.#serverOf();
  }

  /** Drops the documents of the API: the next call reads them again. */
  forget({ name }: AggregatedApi): void {
    for (const key of this.#cached.keys()) if (key.startsWith(`${name} `)) this.#cached.delete(key);
  }

  async discovery(api: AggregatedApi): Promise<VersionDiscovery> {
    const { version } = api;
    const found = api.isAvailable ? await this.#once(api, 'discovery', () => this.#readDiscovery(api)) : undefined;
    return found ?? { version, resources: [], freshness: 'Stale' };
  }

  async #readDiscovery(api: AggregatedApi): Promise<VersionDiscovery | undefined> {
    const { group, version } = api;
    const whole = await readRemote(this.#server, api, '/apis', { accept: aggregatedAccept });
    const list = whole.code === 200 ? (parseJson(whole.text).value as GroupDiscoveryList) : undefined;
    if (list?.kind === 'APIGroupDiscoveryList') {
      const own = list.items?.find((item) => item.metadata?.name === group);
      const resources = own?.versions?.find((one) => one.version === version)?.resources;
      if (resources) return { version, resources, freshness: 'Current' };
    }
    const { code, text } = await readRemote(this.#server, api, `/apis/${group}/${version}`);
    if (code !== 200) return undefined;
    return {
      version,
      resources: converted((parseJson(text).value as ResourceList).resources ?? [], group, version),
      freshness: 'Current',
    };
  }

  async openapiHash(api: AggregatedApi): Promise<string | undefined> {
    if (!api.isAvailable) return undefined;
    return this.#once(api, 'openapi-index', async () => {
      const { code, text } = await readRemote(this.#server, api, '/openapi/v3');
      if (code !== 200) return undefined;
      const url = (parseJson(text).value as OpenApiIndex).paths?.[`apis/${api.group}/${api.version}`]
        ?.serverRelativeURL;
      return url && (new URL(url, 'https://remote').searchParams.get('hash') ?? '');
    });
  }

  async openapiV2(api: AggregatedApi): Promise<OpenApiV2 | undefined> {
    if (!api.isAvailable) return undefined;
    return this.#once(api, 'openapi-v2', async () => {
      const { code, text } = await readRemote(this.#server, api, '/openapi/v2');
      return code === 200 ? (parseJson(text).value as OpenApiV2) : undefined;
    });
  }

  /** A document that cannot be read counts as missing. */
  #once<T>(api: AggregatedApi, document: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const key = `${api.name} ${document}`;
    const now = this.#server.clock.now();
    const cached = this.#cached.get(key);
    if (cached && now - cached.atMs < freshMs) return (cached as Cached<T>).value;
    const value = read().catch((error) => {
      this.#cached.delete(key);
      this.#server.logger.warn('cannot read a document of an aggregated API', {
        name: api.name,
        document,
        error: String(error),
      });
      return undefined;
    });
    this.#cached.set(key, { value, atMs: now });
    return value;
  }
}

/** A field may be missing in an answer. */
type Remote = Partial<APIResource> & { readonly name: string };

interface ResourceList {
  readonly resources?: readonly Remote[];
}

interface OpenApiIndex {
  readonly paths?: Readonly<Record<string, { readonly serverRelativeURL?: string } | undefined>>;
}

interface GroupDiscoveryList {
  readonly kind?: string;
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly VersionDiscovery[];
  }[];
}

/** Resources of an APIResourceList in the newer form. */
function converted(list: readonly Remote[], group: string, version: string): object[] {
  const kindOf = (one: Remote) => ({
    group: one.group || group,
    version: one.version || version,
    kind: one.kind,
  });
  const subresources = new Map<string, object[]>();
  for (const sub of list) {
    const slash = sub.name.indexOf('/');
    if (slash < 0) continue;
    const owner = sub.name.slice(0, slash);
    const entry = { subresource: sub.name.slice(slash + 1), responseKind: kindOf(sub), verbs: sub.verbs ?? [] };
    const recorded = subresources.get(owner);
    if (recorded) recorded.push(entry);
    else subresources.set(owner, [entry]);
  }
  return list
    .filter(({ name }) => !name.includes('/'))
    .map((one) => ({
      resource: one.name,
      responseKind: kindOf(one),
      scope: one.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.singularName ?? '',
      verbs: one.verbs ?? [],
      ...(one.shortNames && { shortNames: one.shortNames }),
      ...(one.categories && { categories: one.categories }),
      ...(subresources.has(one.name) && { subresources: subresources.get(one.name) }),
    }));
}
