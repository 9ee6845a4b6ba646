// For tests: Hetzner Cloud's API in memory, as far as Coracle uses it, with the errors that it documents.

import type { Fields } from '../../../machinery/parsed.ts';
import { fieldsIn } from '../../../machinery/parsed.ts';
import type { Answer, JsonRequest } from '../http-json.ts';

const network = 7;

interface FakeBalancer {
  readonly id: number;
  name: string;
  labels: Record<string, string>;
  load_balancer_type: { name: string; max_targets: number };
  algorithm: { type: string };
  private_net: { network: number; ip: string }[];
  services: Fields[];
  targets: { type: string; server: { id: number }; use_private_ip: boolean }[];
}

export class FakeHetzner {
  readonly servers = new Map<number, Fields>();
  readonly balancers = new Map<number, FakeBalancer>();
  routes: { destination: string; gateway: string }[] = [];
  readonly requests: string[] = [];
  /** In place of the API's own answer. */
  instead: ((path: string, method: string) => Answer | Promise<Answer> | undefined) | undefined;
  #next = 100;
  readonly #actions = new Map<number, number>();

  addServer(id: number, name: string, more: object = {}): void {
    this.servers.set(id, {
      ...{ id, name, status: 'running', server_type: { name: 'cx22' }, location: { name: 'fsn1' } },
      public_net: { ipv4: { ip: `198.51.100.${id}` }, ipv6: null },
      private_net: [{ network, ip: `10.0.0.${id}` }],
      ...more,
    });
  }

  readonly send = async ({ url, method, body, token, signal }: JsonRequest): Promise<Answer> => {
    const path = url.pathname.replace(/^\/v1/, '');
    this.requests.push(`${method} ${path}`);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
    const instead = await Promise.race([this.instead?.(path, method), aborted]);
    if (instead) return instead;
    if (token !== 'secret') return failure(401, 'unauthorized', 'unable to authenticate');
    return this.#answer(method, path, url.searchParams, fieldsIn(JSON.parse(body ?? '{}')));
  };

  #answer(method: string, path: string, query: URLSearchParams, body: Fields): Answer {
    const [, kind, id, , action] = path.split('/');
    if (kind === 'actions') return json({ action: this.#poll(Number(id)) });
    if (kind === 'servers') return id ? one('server', this.servers.get(Number(id))) : this.#serverPage(query);
    if (kind === 'networks')
      return action ? this.#changeRoutes(action, body) : json({ network: { routes: this.routes } });
    if (action) return this.#act(Number(id), action, body);
    if (method === 'POST') return this.#create(body);
    const balancer = this.balancers.get(Number(id));
    if (method === 'PUT') Object.assign(balancer ?? {}, body);
    if (method === 'DELETE') return this.balancers.delete(Number(id)) ? { code: 204, text: '' } : missing;
    return id ? one('load_balancer', balancer && shown(balancer)) : this.#balancerPage(query);
  }

  /** Two on a page, so that small tests have several. */
  #serverPage(query: URLSearchParams): Answer {
    const name = query.get('name');
    const all = [...this.servers.values()].filter((server) => name === null || server['name'] === name);
    const page = Number(query.get('page'));
    const hasMore = page * 2 < all.length;
    return json({
      servers: all.slice(page * 2 - 2, page * 2),
      meta: { pagination: { next_page: hasMore ? page + 1 : null } },
    });
  }

  #balancerPage(query: URLSearchParams): Answer {
    const [key = '', value] = query.get('label_selector')?.split('=') ?? [];
    const name = query.get('name');
    const found = [...this.balancers.values()].filter((each) =>
      name === null ? each.labels[key] === value : each.name === name,
    );
    return json({ load_balancers: found.map(shown), meta: { pagination: { next_page: null } } });
  }

  #create(body: Fields): Answer {
    if ([...this.balancers.values()].some(({ name }) => name === body['name']))
      return failure(409, 'uniqueness_error', 'name is already used');
    const id = this.#next++;
    const balancer: FakeBalancer = {
      ...{ id, name: String(body['name']), labels: body['labels'] as Record<string, string> },
      load_balancer_type: { name: String(body['load_balancer_type']), max_targets: 3 },
      algorithm: body['algorithm'] as { type: string },
      private_net: body['network'] ? [{ network, ip: '10.0.0.200' }] : [],
      ...{ services: [], targets: [] },
    };
    this.balancers.set(id, balancer);
    return json({ load_balancer: shown(balancer), action: this.#start() }, 201);
  }

  #act(id: number, action: string, body: Fields): Answer {
    const balancer = this.balancers.get(id);
    if (!balancer) return missing;
    const port = body['listen_port'];
    const server = Number(fieldsIn(body['server'])['id']);
    if (action === 'add_service') balancer.services.push(body);
    if (action === 'update_service')
      balancer.services = balancer.services.map((each) => (each['listen_port'] === port ? body : each));
    if (action === 'delete_service')
      balancer.services = balancer.services.filter((each) => each['listen_port'] !== port);
    if (action === 'add_target') balancer.targets.push(body as never);
    if (action === 'remove_target') balancer.targets = balancer.targets.filter((each) => each.server.id !== server);
    if (action === 'change_algorithm') balancer.algorithm = { type: String(body['type']) };
    if (action === 'change_type') balancer.load_balancer_type.name = String(body['load_balancer_type']);
    if (action === 'attach_to_network') balancer.private_net = [{ network, ip: '10.0.0.200' }];
    return json({ action: this.#start() }, 201);
  }

  #changeRoutes(action: string, body: Fields): Answer {
    const route = { destination: String(body['destination']), gateway: String(body['gateway']) };
    const others = this.routes.filter(({ destination }) => destination !== route.destination);
    if (action === 'add_route' && others.length < this.routes.length)
      return failure(409, 'conflict', 'route already exists');
    this.routes = action === 'add_route' ? [...others, route] : others;
    return json({ action: this.#start() }, 201);
  }

  /** Each action runs for two polls. */
  #start(): object {
    const id = this.#next++;
    this.#actions.set(id, 2);
    return { id, status: 'running', command: 'change' };
  }

  #poll(id: number): object {
    const left = (this.#actions.get(id) ?? 0) - 1;
    this.#actions.set(id, left);
    return { id, status: left > 0 ? 'running' : 'success', command: 'change' };
  }
}

const shown = (balancer: FakeBalancer): object => ({
  ...balancer,
  public_net: { enabled: true, ipv4: { ip: '203.0.113.1' }, ipv6: { ip: '2001:db8::1' } },
});

const json = (body: object, code = 200): Answer => ({ code, text: JSON.stringify(body) });
export const failure = (code: number, name: string, message: string): Answer =>
  json({ error: { code: name, message } }, code);
const missing = failure(404, 'not_found', 'not found');
const one = (name: string, object: object | undefined): Answer => (object ? json({ [name]: object }) : missing);
