// Answers that the API does not have: the scheduler's decisions, the path of a connection, and the times of the recent
// past. They read as the user, so that they show no more than the user's rights.

import { ApiError, type EndpointSlice, type Node, notFound, type Service } from '../api/api.ts';
import type { Client, ListOptions } from '../client/client.ts';
import type { Page, PageRequest } from '../machinery/pages.ts';
import { failure, json } from './http.ts';
import type { User } from './sessions.ts';

export interface Insights {
  /** The scheduler's decision about a pod (namespace/name); undefined if none is recorded. */
  decision(pod: string): SchedulingDecision | undefined;
  trace(inputs: TraceInputs): readonly object[];
  /** The usage of nodes, or of the pods of a namespace ('': of all), in the last half hour. */
  usage(resource: 'nodes' | 'pods', namespace: string): readonly object[];
  /** When the resource changed; undefined if its past is not kept. `atMs`: also the revision of that time. */
  history(place: Place, atMs?: number): Promise<object | undefined>;
  /** Writes that the API server refused lately. */
  refusals(place: Partial<Place>): readonly object[];
  /** Deletions that the API server carried out lately. */
  deletions(place: Partial<Place>): readonly object[];
}

interface Place {
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

interface SchedulingDecision {
  readonly message: string;
  readonly node?: string;
  readonly filtered: readonly { readonly node: string }[];
  readonly ranked: readonly { readonly node: string }[];
}

interface TraceInputs {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly from?: string;
}

interface Context {
  clientFor(user: User): Client;
  readonly insights: Insights;
}

export async function insight(context: Context, user: User, path: string, query: PageRequest['query']): Promise<Page> {
  const client = context.clientFor(user);
  if (path === '/insights/usage') return usage(context.insights, client, query);
  const [namespace, name] = [query.get('namespace') ?? '', query.get('name') ?? ''];
  try {
    if (path === '/insights/refusals') return await writes('refusals', context.insights, client, query);
    if (path === '/insights/deletions') return await writes('deletions', context.insights, client, query);
    if (path === '/insights/history') return await history(context.insights, client, query);
    if (!namespace || !name) return failure(400, 'BadRequest', 'namespace and name are required');
    switch (path) {
      case '/insights/decision':
        return json(200, { decision: (await decision(context.insights, client, namespace, name)) ?? null });
      case '/insights/trace':
        return json(200, { ports: await trace(context.insights, client, query) });
      default:
        return failure(404, 'NotFound', 'there is no such insight');
    }
  } catch (error) {
    if (error instanceof ApiError) return json(error.code, error.status);
    throw error;
  }
}

/** Its nodes are shown to users who may list nodes. */
async function decision({ decision }: Insights, client: Client, namespace: string, name: string) {
  await client.get('pods', { namespace, name });
  const found = decision(`${namespace}/${name}`);
  if (!found || (await mayListNodes(client))) return found;
  return { ...found, filtered: [], ranked: [] };
}

/** For users who may list the metrics themselves. */
async function usage({ usage }: Insights, client: Client, query: PageRequest['query']): Promise<Page> {
  const resource = query.get('resource') === 'nodes' ? 'nodes' : 'pods';
  const namespace = resource === 'nodes' ? '' : (query.get('namespace') ?? '');
  const place = { group: 'metrics.k8s.io', resource, ...(namespace && { namespace }) };
  if (!(await may(client, { verb: 'list', ...place })))
    return failure(403, 'Forbidden', `you may not list the metrics of ${resource}`);
  return json(200, { series: usage(resource, namespace) });
}

const mayListNodes = (client: Client) => may(client, { verb: 'list', resource: 'nodes' });

interface ReviewedAccess extends Partial<Place> {
  readonly verb: string;
}

async function may(client: Client, resourceAttributes: ReviewedAccess): Promise<boolean> {
  const review = await client.create('selfsubjectaccessreviews', { metadata: {}, spec: { resourceAttributes } });
  return review.status?.allowed === true;
}

/** They name other users: for those who may get this path, as administrators may. */
async function writes(
  sort: 'refusals' | 'deletions',
  insights: Insights,
  client: Client,
  query: PageRequest['query'],
): Promise<Page> {
  const nonResourceAttributes = { verb: 'get', path: `/console/insights/${sort}` };
  const review = await client.create('selfsubjectaccessreviews', { metadata: {}, spec: { nonResourceAttributes } });
  if (review.status?.allowed !== true)
    return failure(403, 'Forbidden', `you may not get ${nonResourceAttributes.path}`);
  const wanted = (['group', 'resource', 'namespace', 'name'] as const).flatMap((name) => {
    const value = query.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return json(200, { [sort]: insights[sort](Object.fromEntries(wanted)) });
}

/** Users who may list and watch can see the same through the API. */
async function history({ history }: Insights, client: Client, query: PageRequest['query']): Promise<Page> {
  const text = (name: string) => query.get(name) ?? '';
  const [namespace, name] = [text('namespace'), text('name')];
  const place = {
    ...{ group: text('group'), resource: text('resource') },
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
  const atMs = text('at') === '' ? undefined : Number(text('at'));
  if (!place.resource || Number.isNaN(atMs))
    return failure(400, 'BadRequest', 'resource is required, and at is a number');
  for (const verb of ['list', 'watch'])
    if (!(await may(client, { ...place, verb })))
      return failure(403, 'Forbidden', `you may not ${verb} ${place.resource}`);
  const found = await history(place, atMs);
  return found ? json(200, found) : failure(404, 'NotFound', 'the past of this resource is not kept');
}

async function trace({ trace }: Insights, client: Client, query: PageRequest['query']) {
  const text = (name: string) => query.get(name) ?? '';
  const [namespace, name, from, at] = [text('namespace'), text('name'), text('from'), text('at')];
  const past = at ? ({ resourceVersion: at, resourceVersionMatch: 'Exact' } as const) : undefined;
  const [service, slices, nodes] = await Promise.all([
    past ? serviceAt(client, namespace, name, past) : client.get('services', { namespace, name }),
    client.list('endpointslices', { namespace, ...past }),
    client.list('nodes', past),
  ]);
  return trace({ service, slices: slices.items, nodes: nodes.items, ...(from && { from }) });
}

/** Only lists show the past. */
async function serviceAt(client: Client, namespace: string, name: string, past: ListOptions): Promise<Service> {
  const { items } = await client.list('services', { namespace, fieldSelector: `metadata.name=${name}`, ...past });
  if (items.length === 0) throw notFound({ group: '', resource: 'services' }, name);
  return items[0];
}
