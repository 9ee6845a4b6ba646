// Clients of several API servers that add 1 to numbers, watch them, and judge the answers.

import { expect } from 'vitest';
import type { Random } from '../../src/machinery/random.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { actPrefix } from './control-plane-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const names = ['a', 'b', 'c', 'd'];
const requestTimeoutMs = 5_000;
const label = 'numbers';

interface Count {
  acknowledged: number;
  /** Without an answer, or with a failure: made once or not at all. */
  unknown: number;
}

export class Clients {
  readonly #urls: () => readonly string[];
  readonly #random: Random;
  readonly #stopping = new AbortController();
  readonly #counts = new Map<string, Count>(names.map((name) => [name, { acknowledged: 0, unknown: 0 }]));
  /** Numbers of each object as a watcher has seen them, without a gap. */
  readonly #seen = new Map<string, number>(names.map((name) => [name, 0]));
  /** Version of the last event. */
  #newest = 0;
  #watched = 0;
  #relists = 0;
  #running: Promise<unknown> = Promise.resolve();
  /** One sentence each. */
  readonly faults: string[] = [];

  constructor(urls: () => readonly string[], random: Random) {
    this.#urls = urls;
    this.#random = random;
  }

  async start(): Promise<void> {
    const [url] = this.#urls();
    for (const name of names) {
      const metadata = { name, labels: { app: label } };
      const { code } = await call('POST', url + maps, { metadata, data: { n: '0' } });
      expect(code).toBe(201);
    }
    const version = (await call('GET', `${url}${maps}?labelSelector=app=${label}`)).body.metadata.resourceVersion;
    this.#running = Promise.all([...[1, 2, 3].map(() => this.#write()), this.#watch(version)]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  summary(): string {
    const sum = (field: keyof Count) => [...this.#counts.values()].reduce((total, count) => total + count[field], 0);
    return `${sum('acknowledged')} acknowledged, ${sum('unknown')} unknown, ${this.#watched} watched, ${this.#relists} lists again`;
  }

  /** Rejects while a server does not answer. */
  async writesOnAll(): Promise<void> {
    const answers = await Promise.all(
      this.#urls().map((url) => call('PATCH', `${url}${maps}/a`, { metadata: { annotations: { at: url } } })),
    );
    expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 200));
  }

  /** All faults at the end. `least`: acknowledged writes without which the run has shown nothing. */
  async verdict(least: number): Promise<readonly string[]> {
    const faults = [...this.faults];
    const all = [...this.#counts.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    if (all < least) faults.push(`only ${all} writes were acknowledged`);
    for (const [name, { acknowledged, unknown }] of this.#counts) {
      const values = await Promise.all(this.#urls().map((url) => call('GET', `${url}${maps}/${name}`)));
      const totals = values.map(({ body }) => Number(body.data.n));
      const [total] = totals;
      if (totals.some((each) => each !== total)) faults.push(`${name} differs between servers: ${totals}`);
      if (total < acknowledged) faults.push(`${name} is ${total}, and ${acknowledged} writes were acknowledged`);
      if (total > acknowledged + unknown) faults.push(`${name} is ${total}: a write was made twice`);
      if (this.#seen.get(name) !== total) faults.push(`the watch saw ${this.#seen.get(name)} of ${name}, not ${total}`);
    }
    return [...faults, ...(await this.#leads())];
  }

  /** The acts in the order of the store: no act of a former lead follows one of a later. */
  async #leads(): Promise<readonly string[]> {
    const { body } = await call('GET', `${this.#urls()[0]}${maps}`);
    const acts = (body.items as { metadata: Record<string, string>; data: Record<string, string> }[])
      .filter(({ metadata }) => metadata['name'].startsWith(actPrefix))
      .map(({ metadata, data }) => ({
        revision: Number(metadata['resourceVersion']),
        lead: Number(data['lead']),
        by: data['by'],
      }))
      .sort((a, b) => a.revision - b.revision);
    const faults: string[] = [];
    let newest = acts[0];
    const holders = new Map<number, string>();
    for (const act of acts) {
      if (act.lead < newest.lead)
        faults.push(`${act.by} acted at ${act.revision} in lead ${act.lead}, after ${newest.by}`);
      else newest = act;
      if ((holders.get(act.lead) ?? act.by) !== act.by) faults.push(`lead ${act.lead} had two holders`);
      holders.set(act.lead, act.by);
    }
    if (acts.length === 0) faults.push('no leader acted');
    return faults;
  }

  async #write(): Promise<void> {
    /** The newest version of each object in any answer. */
    const versions = new Map<string, number>();
    const any = () => this.#urls()[this.#random.int(this.#urls().length)];
    const note = (name: string, version: number, place: string) => {
      const before = versions.get(name) ?? 0;
      if (version < before) this.faults.push(`${name} went back from ${before} to ${version} at ${place}`);
      versions.set(name, Math.max(version, before));
    };
    while (!this.#stopping.signal.aborted) {
      const name = names[this.#random.int(names.length)];
      const from = any();
      const read = await call('GET', `${from}${maps}/${name}`);
      if (read.code !== 200) {
        await systemClock.sleep(20);
        continue;
      }
      note(name, Number(read.body.metadata.resourceVersion), from);
      const next = { ...read.body, data: { n: String(Number(read.body.data.n) + 1) } };
      const to = any();
      const count = this.#counts.get(name);
      const answer = await call('PUT', `${to}${maps}/${name}`, next);
      if (!count || answer.code === 409) continue;
      if (answer.code === 200) {
        count.acknowledged++;
        note(name, Number(answer.body.metadata.resourceVersion), to);
      } else if (answer.code === 0 || answer.code >= 500) count.unknown++;
      else this.faults.push(`a write was answered ${answer.code}: ${JSON.stringify(answer.body)}`);
    }
  }

  /** Follows on any server from the version that it saw last. */
  async #watch(from: string): Promise<void> {
    let version = from;
    for (let server = 0; !this.#stopping.signal.aborted; server++) {
      const url = this.#urls()[server % this.#urls().length];
      const query = `watch=true&labelSelector=app=${label}&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=${version}`;
      try {
        const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(8_000)]);
        const response = await fetch(`${url}${maps}?${query}`, { signal });
        for await (const { type, object } of linesOf(response)) {
          if (type === 'ERROR') throw new Error(JSON.stringify(object));
          version = object.metadata.resourceVersion;
          if (type !== 'BOOKMARK') this.#notice(type, object);
        }
      } catch (error) {
        // A server that has just started has no history: its clients list again.
        if (/"code":410/.test(String(error))) version = (await this.#list(url)) ?? version;
        await systemClock.sleep(50);
      }
    }
    await this.#catchUp(version);
  }

  /** Undefined: the server does not answer. */
  async #list(url: string): Promise<string | undefined> {
    const { code, body } = await call('GET', `${url}${maps}?labelSelector=app=${label}`);
    if (code !== 200) return undefined;
    this.#relists++;
    const { resourceVersion } = body.metadata;
    if (Number(resourceVersion) < this.#newest)
      this.faults.push(`a list went back from ${this.#newest} to ${resourceVersion}`);
    this.#newest = Number(resourceVersion);
    for (const { metadata, data } of body.items) {
      const before = this.#seen.get(metadata.name) ?? 0;
      if (Number(data.n) < before) this.faults.push(`a list showed ${metadata.name} with ${data.n} after ${before}`);
      this.#seen.set(metadata.name, Number(data.n));
    }
    return resourceVersion;
  }

  async #catchUp(from: string): Promise<void> {
    const query = `watch=true&labelSelector=app=${label}&timeoutSeconds=1&resourceVersion=${from}`;
    const response = await fetch(`${this.#urls()[0]}${maps}?${query}`);
    for await (const { type, object } of linesOf(response)) this.#notice(type, object);
  }

  #notice(type: string, object: { metadata: { name: string; resourceVersion: string }; data: { n: string } }): void {
    const { name, resourceVersion } = object.metadata;
    const revision = Number(resourceVersion);
    if (revision <= this.#newest) this.faults.push(`the watch showed ${name} at ${revision} after ${this.#newest}`);
    this.#newest = revision;
    const [before, n] = [this.#seen.get(name) ?? 0, Number(object.data.n)];
    this.#watched++;
    // An annotation leaves the number as it is.
    if (type !== 'MODIFIED' || (n !== before && n !== before + 1))
      this.faults.push(`the watch showed ${type} ${name} with ${n} after ${before}`);
    this.#seen.set(name, n);
  }
}

/** Code 0: no answer. */
async function call(method: string, url: string, body?: object): Promise<{ code: number; body: any }> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  try {
    const response = await fetch(url, {
      ...{ method, headers: { 'content-type': type }, signal: AbortSignal.timeout(requestTimeoutMs) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { code: response.status, body: await response.json() };
  } catch {
    return { code: 0, body: undefined };
  }
}

async function* linesOf(response: Response): AsyncIterable<any> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
}
