// Answers that the API does not have: the scheduler's decisions, and the path of a connection. They read as the user, so
// that they show no more than the user's rights.

import { ApiError, type EndpointSlice, type Node, type Service } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import { failure, json, type Page } from './http.ts';
import type { User } from './sessions.ts';

export interface Insights {
  /** The scheduler's decision about a pod (namespace/name); undefined if none is recorded. */
  decision(pod: string): SchedulingDecision | undefined;
  trace(inputs: TraceInputs): readonly object[];
}

export interface SchedulingDecision {
  readonly message: string;
  readonly node?: string;
  readonly filtered: readonly { readonly node: string }[];
  readonly ranked: readonly { readonly node: string }[];
}

export interface TraceInputs {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly from?: string;
}

interface Context {
  clientFor(user: User): Client;
  readonly insights: Insights;
}

export async function insight(context: Context, user: User, path: string, query: URLSearchParams): Promise<Page> {
  const client = context.clientFor(user);
  const [namespace, name] = [query.get('namespace') ?? '', query.get('name') ?? ''];
  if (!namespace || !name) return failure(400, 'BadRequest', 'namespace and name are required');
  try {
    switch (path) {
      case '/insights/decision':
        return json(200, { decision: (await decision(context.insights, client, namespace, name)) ?? null });
      case '/insights/trace':
        return json(200, { ports: await trace(context.insights, client, namespace, name, query.get('from')) });
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

async function mayListNodes(client: Client): Promise<boolean> {
  const review = await client.create('selfsubjectaccessreviews', {
    metadata: {},
    spec: { resourceAttributes: { verb: 'list', resource: 'nodes' } },
  });
  return review.status?.allowed === true;
}

async function trace({ trace }: Insights, client: Client, namespace: string, name: string, from: string | null) {
  const service = await client.get('services', { namespace, name });
  const [slices, nodes] = await Promise.all([client.list('endpointslices', { namespace }), client.list('nodes')]);
  return trace({ service, slices: slices.items, nodes: nodes.items, ...(from && { from }) });
}
