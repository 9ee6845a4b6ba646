// Reads the metrics of pods, objects and external systems from the APIs that metrics adapters serve.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#support-for-metrics-apis

import { type CrossVersionObjectReference, isNotFound, type KubeObject, type LabelSelector } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { milliValue } from '../../machinery/quantity.ts';
import { parseDuration } from '../../machinery/time/duration.ts';
import type { PodMetric, PodMetrics } from './pod-groups.ts';
import { selectorText } from './selector-text.ts';
import { servedVersions } from './served-versions.ts';

/** Window of custom metrics that do not name one. */
const defaultWindowMs = 60_000;

const podMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods', namespaced: true };

interface PodUsage extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers?: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
}

/** Usage of a resource by pods, or by one container of each. Pods without it are left out. */
export async function resourceMetrics(
  client: Client,
  namespace: string,
  labelSelector: string,
  { resource, container }: { resource: string; container: string },
): Promise<PodMetrics> {
  const { items } = await client
    .list(podMetrics, { namespace, labelSelector })
    .catch((error) => failed('unable to fetch metrics from resource metrics API', error, 'pods.metrics.k8s.io'));
  if (items.length === 0) throw new Error('no metrics returned from resource metrics API');
  return new Map(
    (items as readonly PodUsage[]).flatMap((item) => {
      const { containers = [] } = item;
      const counted = container ? containers.filter(({ name }) => name === container) : containers;
      if (counted.length === 0 || counted.some(({ usage }) => usage[resource] === undefined)) return [];
      const value = counted.reduce((sum, { usage }) => sum + milliValue(usage[resource]), 0);
      return [[item.metadata.name, metricOf(value, item.timestamp, parseDuration(item.window) ?? 0)] as const];
    }),
  );
}

const metricOf = (value: number, timestamp: string, windowMs: number): PodMetric => ({
  value,
  timestampMs: Date.parse(timestamp),
  windowMs,
});

interface CustomMetric {
  readonly describedObject: { readonly name: string };
  readonly timestamp: string;
  readonly windowSeconds?: number;
  readonly value: string;
}

/** Values of a custom metric for pods. */
export async function podsMetric(
  client: Client,
  namespace: string,
  labelSelector: string,
  metric: { readonly name: string; readonly selector?: LabelSelector },
): Promise<PodMetrics> {
  const items = await customMetrics(client, `namespaces/${namespace}/pods/*/${encodeURIComponent(metric.name)}`, {
    labelSelector,
    metricLabelSelector: selectorText(metric.selector),
  });
  if (items.length === 0) throw new Error('no metrics returned from custom metrics API');
  return new Map(
    items.map(({ describedObject, value, timestamp, windowSeconds }) => {
      const windowMs = windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000;
      return [describedObject.name, metricOf(milliValue(value), timestamp, windowMs)];
    }),
  );
}

/** The value of a custom metric for one object. `resource`: its plural and group, such as `ingresses.networking.k8s.io`. */
export async function objectMetric(
  client: Client,
  namespace: string,
  metric: { readonly name: string; readonly selector?: LabelSelector },
  { kind, apiVersion, name }: CrossVersionObjectReference,
  resource: () => Promise<string>,
): Promise<number> {
  const query = { metricLabelSelector: selectorText(metric.selector) };
  const last = encodeURIComponent(metric.name);
  // An autoscaler reads no other namespace than its own.
  const isNamespace = kind === 'Namespace' && (apiVersion ?? 'v1') === 'v1';
  const path = isNamespace
    ? `namespaces/${namespace}/metrics/${last}`
    : `namespaces/${namespace}/${await resource()}/${encodeURIComponent(name)}/${last}`;
  const items = await customMetrics(client, path, query);
  if (items.length !== 1)
    throw new Error(
      `unable to fetch metrics from custom metrics API: the custom metrics API server returned ${items.length} results when we asked for exactly one`,
    );
  return milliValue(items[0].value);
}

async function customMetrics(
  client: Client,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<readonly CustomMetric[]> {
  const why = 'unable to fetch metrics from custom metrics API';
  const group = 'custom.metrics.k8s.io';
  const served = await servedVersions(client, group).catch((error) => failed(why, error));
  // The newest that this client reads.
  const version = ['v1beta2', 'v1beta1'].find((one) => served.includes(one));
  if (!version) throw new Error(`${why}: no custom metrics API (${group}) registered`);
  const { items = [] } = await client
    .raw<{ items?: readonly CustomMetric[] }>('GET', `/apis/${group}/${version}/${path}${queryText(query)}`)
    .catch((error) => failed(why, error));
  return items;
}

/** All values of an external metric. */
export async function externalMetric(
  client: Client,
  namespace: string,
  metric: { readonly name: string; readonly selector?: LabelSelector },
): Promise<readonly number[]> {
  const group = 'external.metrics.k8s.io';
  const path = `/apis/${group}/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric.name)}`;
  const { items = [] } = await client
    .raw<{ items?: readonly { value: string }[] }>(
      'GET',
      `${path}${queryText({ labelSelector: selectorText(metric.selector) })}`,
    )
    .catch((error) => failed('unable to fetch metrics from external metrics API', error, `${metric.name}.${group}`));
  if (items.length === 0) throw new Error('no metrics returned from external metrics API');
  return items.map(({ value }) => milliValue(value));
}

function queryText(query: Readonly<Record<string, string>>): string {
  const set = Object.entries(query).filter(([, value]) => value);
  return set.length > 0 ? `?${new URLSearchParams(set)}` : '';
}

/** Clients of Kubernetes add the resource to a 404 of the router. */
function failed(why: string, error: unknown, resource?: string): never {
  const { message } = error as Error;
  if (resource && isNotFound(error) && !message.includes('"'))
    throw new Error(`${why}: the server could not find the requested resource (get ${resource})`);
  throw new Error(`${why}: ${message}`);
}
