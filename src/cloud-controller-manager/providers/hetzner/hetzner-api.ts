// A client of Hetzner Cloud's REST API: https://docs.hetzner.cloud. No SDK for JavaScript is maintained.

import type { ComponentContext } from '../../../client/client.ts';
import { type Fields, fieldsIn, isFields, isList, textIn } from '../../../machinery/parsed.ts';
import { CloudError, messageOf, RetryAfterError } from '../../provider.ts';
import { readText } from '../config-file.ts';
import { type Answer, fieldsOfText, type JsonRequest, plainText, sendJson } from '../http-json.ts';
import { checkIp, flagOf, idOf, itemsOf, objectOf, textOf, wrong } from '../shape.ts';

const timeoutMs = 15_000;
const pageSize = 50;
const mostPages = 200;
const actionPollMs = 500;
const actionTimeoutMs = 60_000;
/** The API permits 3600 requests an hour, and gives one back each second. */
const rateLimitRetryMs = 60_000;
const lockedRetryMs = 5_000;

export interface Server {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly type: string;
  readonly location: string;
  readonly publicIPv4: string;
  readonly privateNets: readonly PrivateNet[];
}

interface PrivateNet {
  readonly network: number;
  readonly ip: string;
}

interface NetworkRoute {
  readonly destination: string;
  readonly gateway: string;
}

export interface Balancer {
  readonly id: number;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: string;
  readonly mostTargets: number;
  readonly algorithm: string;
  readonly isPublic: boolean;
  readonly publicIPv4: string;
  readonly publicIPv6: string;
  readonly privateNets: readonly PrivateNet[];
  readonly services: readonly BalancerService[];
  /** Targets of other types belong to the user. */
  readonly servers: readonly { readonly id: number; readonly usesPrivateIP: boolean }[];
}

/** In the API's own form, for requests. */
export interface BalancerService {
  readonly protocol: string;
  readonly listen_port: number;
  readonly destination_port: number;
  readonly proxyprotocol: boolean;
  readonly health_check: Fields;
}

/** The world outside; tests have their own. */
export interface Outside {
  readonly send: (request: JsonRequest) => Promise<Answer>;
  readonly readText: (file: string) => Promise<string>;
}

interface ApiOptions {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Read for each request, so that the token can be replaced. */
  readonly tokenFile: string;
  readonly outside?: Outside;
  readonly holdsLead: () => boolean;
}

export class HetznerApi {
  readonly #options: ApiOptions;
  readonly #clock: ComponentContext['clock'];
  readonly #stopped = new AbortController();
  #problem: string | undefined;

  constructor(options: ApiOptions, { clock }: Pick<ComponentContext, 'clock'>) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Why the last request had no answer of the API. */
  get problem(): string | undefined {
    return this.#problem;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Undefined if the project has none with this id. */
  async server(id: number): Promise<Server | undefined> {
    const answer = await this.#get(`/servers/${id}`);
    if (!answer) return undefined;
    const server = serverIn(objectOf(answer, 'server', ''));
    if (server.id !== id) throw new CloudError(`Hetzner Cloud answers with the server ${server.id} in place of ${id}`);
    return server;
  }

  async servers(name?: string): Promise<Server[]> {
    return (await this.#list('servers', name === undefined ? {} : { name })).map(serverIn);
  }

  async network(id: number): Promise<readonly NetworkRoute[]> {
    const answer = await this.#get(`/networks/${id}`);
    if (!answer) throw new CloudError(`the project has no network ${id}`);
    return itemsOf(objectOf(answer, 'network', ''), 'routes', 'network.', 1_000).map((route) => ({
      destination: textOf(route, 'destination', 'network.routes.'),
      gateway: textOf(route, 'gateway', 'network.routes.'),
    }));
  }

  async balancers(filter: { readonly name: string } | { readonly label_selector: string }): Promise<Balancer[]> {
    return (await this.#list('load_balancers', filter)).map(balancerIn);
  }

  async balancer(id: number): Promise<Balancer> {
    const answer = await this.#get(`/load_balancers/${id}`);
    if (!answer) throw new CloudError(`the load balancer ${id} has just been deleted`);
    return balancerIn(objectOf(answer, 'load_balancer', ''));
  }

  async createBalancer(body: object): Promise<number> {
    const answer = await this.#request('POST', '/load_balancers', body);
    await this.#finished(answer);
    return idOf(objectOf(answer, 'load_balancer', ''), 'id', 'load_balancer.');
  }

  async updateBalancer(id: number, body: object): Promise<void> {
    await this.#request('PUT', `/load_balancers/${id}`, body);
  }

  /** Succeeds also if there is none. */
  async deleteBalancer(id: number): Promise<void> {
    await this.#request('DELETE', `/load_balancers/${id}`).catch((error) => {
      if (!isMissing(error)) throw error;
    });
  }

  /** Resolves when the change is made. */
  async act(kind: 'networks' | 'load_balancers', id: number, action: string, body: object): Promise<void> {
    await this.#finished(await this.#request('POST', `/${kind}/${id}/actions/${action}`, body));
  }

  async #finished(answer: Fields): Promise<void> {
    let action = objectOf(answer, 'action', '');
    const untilMs = this.#clock.monotonic() + actionTimeoutMs;
    const name = plainText(textIn(action['command'])) || 'the change';
    for (;;) {
      const status = textOf(action, 'status', 'action.');
      if (status === 'success') return;
      if (status === 'error')
        throw new CloudError(`${name}: ${plainText(textIn(fieldsIn(action['error'])['message'])) || 'failed'}`);
      if (this.#clock.monotonic() > untilMs)
        throw new RetryAfterError(`${name} has not finished after ${actionTimeoutMs / 1000} s`, lockedRetryMs);
      await this.#clock.sleep(actionPollMs, this.#stopped.signal);
      action = objectOf(await this.#request('GET', `/actions/${idOf(action, 'id', 'action.')}`), 'action', '');
    }
  }

  async #list(kind: 'servers' | 'load_balancers', filter: Readonly<Record<string, string>>): Promise<Fields[]> {
    const items: Fields[] = [];
    for (let page = 1; page <= mostPages; page++) {
      const query = new URLSearchParams({ ...filter, page: String(page), per_page: String(pageSize) });
      const answer = await this.#request('GET', `/${kind}?${query}`);
      const found = answer[kind];
      if (!isList(found) || !found.every(isFields)) throw wrong(kind, 'must be a list of objects');
      items.push(...found);
      // A list without this field may lack items: a missing one would count as deleted.
      const next = objectOf(objectOf(answer, 'meta', ''), 'pagination', 'meta.')['next_page'];
      if (next === null) return items;
      if (next !== page + 1) throw wrong('meta.pagination.next_page', 'must be null or the next page');
    }
    throw new CloudError(`the project has more than ${mostPages * pageSize} ${kind}`);
  }

  /** Undefined for an object that the API says it does not have. */
  #get(path: string): Promise<Fields | undefined> {
    return this.#request('GET', path).catch((error) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
  }

  async #request(method: string, path: string, body?: object): Promise<Fields> {
    const { endpoint, tokenFile, holdsLead, outside = { send: sendJson, readText } } = this.#options;
    const token = (await outside.readText(tokenFile)).trim();
    if (!holdsLead()) throw new CloudError('the request is not sent: this process does not lead any more');
    const limit = new AbortController();
    const timer = this.#clock.after(timeoutMs, () => limit.abort(), { background: true });
    const signal = AbortSignal.any([limit.signal, this.#stopped.signal]);
    const request = { url: new URL(`${endpoint}${path}`), method, token, signal };
    try {
      const answer = await outside.send({ ...request, ...(body && { body: JSON.stringify(body) }) }).catch((error) => {
        const reason = limit.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : messageOf(error);
        this.#problem = `Hetzner Cloud does not answer: ${reason}`;
        throw new CloudError(this.#problem);
      });
      return this.#contentOf(method, answer);
    } finally {
      timer.cancel();
    }
  }

  #contentOf(method: string, { code, text }: Answer): Fields {
    const fields = fieldsOfText(text);
    const isDeleted = method === 'DELETE' && code === 204;
    if (isDeleted || (code >= 200 && code < 300 && fields)) {
      this.#problem = undefined;
      return fields ?? {};
    }
    const { code: name, message } = fieldsIn(fields?.['error']);
    const kind = textIn(name);
    // An answer of a gateway, and of a server that has a failure, has none of the API's codes.
    if (!kind) {
      this.#problem = `Hetzner Cloud answers with HTTP status ${code}`;
      throw new CloudError(this.#problem);
    }
    this.#problem = undefined;
    const said = `${plainText(textIn(message)) || 'refused'} (${plainText(kind)})`;
    if (kind === 'rate_limit_exceeded') throw new RetryAfterError(said, rateLimitRetryMs);
    if (['locked', 'conflict', 'resource_unavailable'].includes(kind)) throw new RetryAfterError(said, lockedRetryMs);
    throw code === 404 && kind === 'not_found' ? new MissingError(said) : new CloudError(said);
  }
}

/** The API itself says that it has no such object. */
class MissingError extends CloudError {}

const isMissing = (error: unknown): boolean => error instanceof MissingError;

/** '' while the object has none. */
function addressIn(from: Readonly<Fields>, where: string): string {
  const ip = textIn(from['ip']);
  if (ip !== '') checkIp(ip, `${where}ip`);
  return ip;
}

const privateNetsIn = (from: Fields, where: string): PrivateNet[] =>
  itemsOf(from, 'private_net', where, 64).map((net) => ({
    network: idOf(net, 'network', `${where}private_net.`),
    ip: addressIn(net, `${where}private_net.`),
  }));

function serverIn(from: Fields): Server {
  const where = 'server.';
  return {
    id: idOf(from, 'id', where),
    name: textOf(from, 'name', where),
    status: textOf(from, 'status', where),
    type: textOf(objectOf(from, 'server_type', where), 'name', `${where}server_type.`),
    location: textOf(objectOf(from, 'location', where), 'name', `${where}location.`),
    // Null for a server without a public address.
    publicIPv4: addressIn(fieldsIn(objectOf(from, 'public_net', where)['ipv4']), `${where}public_net.ipv4.`),
    privateNets: privateNetsIn(from, where),
  };
}

function balancerIn(from: Fields): Balancer {
  const where = 'load_balancer.';
  const publicNet = objectOf(from, 'public_net', where);
  const type = objectOf(from, 'load_balancer_type', where);
  const labels = objectOf(from, 'labels', where);
  return {
    id: idOf(from, 'id', where),
    name: textOf(from, 'name', where),
    labels: Object.fromEntries(Object.keys(labels).map((key) => [key, textOf(labels, key, `${where}labels.`)])),
    type: textOf(type, 'name', `${where}load_balancer_type.`),
    mostTargets: idOf(type, 'max_targets', `${where}load_balancer_type.`),
    algorithm: textOf(objectOf(from, 'algorithm', where), 'type', `${where}algorithm.`),
    isPublic: flagOf(publicNet, 'enabled', `${where}public_net.`),
    publicIPv4: addressIn(fieldsIn(publicNet['ipv4']), `${where}public_net.ipv4.`),
    publicIPv6: addressIn(fieldsIn(publicNet['ipv6']), `${where}public_net.ipv6.`),
    privateNets: privateNetsIn(from, where),
    services: itemsOf(from, 'services', where, 100).map((service) => ({
      protocol: textOf(service, 'protocol', `${where}services.`),
      listen_port: idOf(service, 'listen_port', `${where}services.`),
      destination_port: idOf(service, 'destination_port', `${where}services.`),
      proxyprotocol: flagOf(service, 'proxyprotocol', `${where}services.`),
      health_check: objectOf(service, 'health_check', `${where}services.`),
    })),
    servers: itemsOf(from, 'targets', where, 1_000)
      .filter(({ type }) => type === 'server')
      .map((target) => ({
        id: idOf(objectOf(target, 'server', `${where}targets.`), 'id', `${where}targets.server.`),
        usesPrivateIP: flagOf(target, 'use_private_ip', `${where}targets.`, false),
      })),
  };
}
