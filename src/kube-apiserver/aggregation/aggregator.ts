// APIs that other servers answer: which groups and versions they are, where they run, and whether they can be reached.
// https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/

import { type APIService, type ApiObject, conditionOf } from '../../api/api.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import { modify } from '../registry/write/modify.ts';
import type { Server } from '../server.ts';
import { type Follower, Following } from '../watch-cache/following.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import type { AggregatedApi, Aggregation } from './aggregation.ts';
import { checkAvailability } from './availability.ts';
import { RemoteDocuments } from './remote-documents.ts';

type Stored = APIService & ApiObject;

/** Time until the next check: short while the API is unavailable. */
const recheckMs = 10_000;
const firstRetryMs = 500;

export class Aggregator implements Aggregation {
  /** The server and this aggregator refer to each other, so this is resolved later. */
  readonly #serverOf: () => Server;
  /** By "group/version". */
  readonly #apis = new Map<string, AggregatedApi>();
  readonly #checks = new Map<string, { timer?: Timer; retryMs: number; running: boolean }>();
  readonly documents: RemoteDocuments;
  readonly #listeners: (() => void)[] = [];
  #cache: ResourceCache | undefined;

  constructor(server: () => Server) {
    this.#serverOf = server;
    this.documents = new RemoteDocuments(server);
  }

  get #server(): Server {
    return this.#serverOf();
  }

  /** Most clusters have none: then requests skip the lookup. */
  get size(): number {
    return this.#apis.size;
  }

  find(group: string, version: string): AggregatedApi | undefined {
    return this.#apis.get(`${group}/${version}`);
  }

  all(): AggregatedApi[] {
    return [...this.#apis.values()];
  }

  /** Calls `listener` when an API was added or removed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Has read the APIServices when it resolves, and follows their changes. Ends with the server. */
  async start(): Promise<void> {
    const kind = this.#server.kinds.byResource('apiregistration.k8s.io', 'v1', 'apiservices');
    if (!kind) return;
    const follower: Follower = {
      reset: (cache) => this.#reset(cache),
      event: ({ item, type }) => {
        const object = item.object as Stored;
        if (type === 'DELETED') this.#remove(object.spec?.group ?? '', object.spec?.version ?? '');
        else this.#set(object);
      },
    };
    await new Following(() => cacheOf(this.#server, kind), follower, this.#server).ready();
  }

  #reset(cache: ResourceCache): void {
    this.#cache = cache;
    const gone = new Map(this.#apis);
    cache.tree.forEach(cache.prefix, `${cache.prefix.slice(0, -1)}0`, ({ object }) => {
      const { group, version } = (object as Stored).spec ?? {};
      gone.delete(`${group ?? ''}/${version ?? ''}`);
      this.#set(object as Stored);
    });
    for (const { group, version } of gone.values()) this.#remove(group, version);
  }

  #set(object: Stored): void {
    const api = aggregatedApi(object);
    if (!api) return this.#remove(object.spec?.group ?? '', object.spec?.version ?? '');
    const key = `${api.group}/${api.version}`;
    const previous = this.#apis.get(key);
    this.#apis.set(key, api);
    if (!previous) this.#changed();
    const moved =
      !previous || JSON.stringify({ ...previous, isAvailable: true }) !== JSON.stringify({ ...api, isAvailable: true });
    if (!moved && previous.isAvailable === api.isAvailable) return;
    this.documents.forget(api);
    if (moved) this.#checkSoon(key);
  }

  #remove(group: string, version: string): void {
    const key = `${group}/${version}`;
    const api = this.#apis.get(key);
    if (!api) return;
    this.#apis.delete(key);
    this.#checks.get(key)?.timer?.cancel();
    this.#checks.delete(key);
    this.documents.forget(api);
    this.#changed();
  }

  #checkSoon(key: string): void {
    const check = this.#checks.get(key) ?? { retryMs: firstRetryMs, running: false };
    check.timer?.cancel();
    check.retryMs = firstRetryMs;
    this.#checks.set(key, check);
    check.timer = this.#server.clock.after(0, () => void this.#check(key), { background: true });
  }

  async #check(key: string): Promise<void> {
    const api = this.#apis.get(key);
    const check = this.#checks.get(key);
    if (!api || !check || check.running || this.#server.stopping.aborted) return;
    check.running = true;
    let available = false;
    try {
      const condition = await checkAvailability(this.#server, api);
      available = condition.status === 'True';
      await this.#write(api.name, condition);
    } catch (error) {
      this.#server.logger.warn('cannot write the availability of an API', { name: api.name, error: String(error) });
    }
    check.running = false;
    check.retryMs = available ? firstRetryMs : Math.min(check.retryMs * 2, recheckMs);
    const delayMs = available ? recheckMs : check.retryMs;
    check.timer = this.#server.clock.after(delayMs, () => void this.#check(key), { background: true });
  }

  async #write(name: string, condition: { status: string; reason: string; message: string }): Promise<void> {
    const server = this.#server;
    const kind = server.kinds.byResource('apiregistration.k8s.io', 'v1', 'apiservices');
    const object = kind && (this.#cache?.get(keyOf(kind, '', name))?.object as Stored | undefined);
    if (!kind || !object || !this.#cache) return;
    const previous = conditionOf(object, 'Available');
    const { status, reason, message } = condition;
    if (previous?.status === status && previous.reason === reason && previous.message === message) return;
    const lastTransitionTime =
      previous?.status === status
        ? previous.lastTransitionTime
        : new Date(server.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const next = { type: 'Available', status, lastTransitionTime, reason, message };
    await modify({ server, kind, cache: this.#cache, namespace: '', name }, (live) => {
      const changed = live as Stored;
      const others = (changed.status?.conditions ?? []).filter(({ type }) => type !== 'Available');
      changed.status = { ...changed.status, conditions: [...others, next] };
    });
  }
}

/** Undefined for APIs that this server answers itself. */
function aggregatedApi({ metadata, spec, status }: Stored): AggregatedApi | undefined {
  if (!spec?.service) return undefined;
  const { group = '', version = '', service, caBundle, insecureSkipTLSVerify } = spec;
  const available = conditionOf({ status }, 'Available');
  return {
    name: metadata.name ?? '',
    group,
    version,
    groupPriority: spec.groupPriorityMinimum,
    versionPriority: spec.versionPriority,
    service: { namespace: service.namespace ?? '', name: service.name ?? '', port: service.port ?? 443 },
    ...(caBundle && { ca: Buffer.from(caBundle, 'base64').toString() }),
    insecure: insecureSkipTLSVerify ?? false,
    isAvailable: available?.status === 'True',
  };
}
