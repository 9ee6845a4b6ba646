// Requests to the Kubernetes API as the signed-in user.

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { base, currentKey, expire, isCoracle } from '../session.ts';
import { Failure } from './failure.ts';
import { keyHeaders } from './key.ts';

interface ApiOptions {
  readonly method?: string;
  readonly accept?: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Pairs where a name repeats. */
  readonly query?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
}

/** Rejects with Failure for every response that is no success, and when there is none. */
export async function request(path: string, options: ApiOptions = {}): Promise<Response> {
  return send(`${base}/api${path}`, options);
}

async function send(path: string, { method = 'GET', accept = 'application/json', ...options }: ApiOptions) {
  const { body, contentType = 'application/json', signal, query } = options;
  const search = query ? `?${new URLSearchParams(Array.isArray(query) ? query : Object.entries(query))}` : '';
  let response: Response;
  try {
    response = await fetch(path + search, {
      method,
      headers: {
        ...keyHeaders(currentKey()),
        Accept: accept,
        ...(body !== undefined && { 'Content-Type': contentType }),
      },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, 'Unreachable', 'the server does not answer');
  }
  if (response.ok) return response;
  const failure = await Failure.of(response);
  if (failure.code === 401) expire();
  throw failure;
}

export const getJson = async (path: string, options: ApiOptions = {}): Promise<unknown> =>
  (await request(path, options)).json();

/** An answer of the console itself. Other clusters than Coracle's have none, and are not asked. */
export async function getInsight(name: string, query: Readonly<Record<string, string>>): Promise<unknown> {
  if (!isCoracle()) throw new Failure(404, 'NotFound', 'only a Coracle cluster knows this');
  return (await send(`${base}/insights/${name}`, { query })).json();
}

/** The lab of a simulated cluster. */
export const readLab = async (): Promise<unknown> => (await send(`${base}/insights/lab`, {})).json();
export const writeLab = async (change: object): Promise<unknown> =>
  (await send(`${base}/insights/lab`, { method: 'POST', body: JSON.stringify(change) })).json();

/** The simulated cluster beside this one; POST starts it, DELETE removes it. */
export const askSandbox = async (method: 'GET' | 'POST' | 'DELETE'): Promise<unknown> =>
  (await send(`${base}/insights/sandbox`, { method })).json();

interface PreviewTarget {
  readonly resource: 'pods' | 'services';
  readonly scheme: 'http' | 'https';
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}

/** The path at which the console shows a page of a pod or service. */
export async function openPreview(target: PreviewTarget): Promise<string> {
  const response = await send(`${base}/previews`, { method: 'POST', body: JSON.stringify(target) });
  const { path } = fieldsIn(await response.json());
  return textIn(path);
}

/** An object of the API, as far as every kind has it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly [field: string]: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: unknown;
}

/** A value from the server that says it is an object; undefined if it does not. */
export function objectIn(value: unknown): KubeObject | undefined {
  const fields = fieldsIn(value);
  const metadata = fieldsIn(fields['metadata']);
  if (textIn(metadata['name']) === '') return undefined;
  return { ...fields, metadata: { ...metadata, name: textIn(metadata['name']) } };
}
