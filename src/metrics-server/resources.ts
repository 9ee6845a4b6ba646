// The resources of metrics.k8s.io: their shapes, their columns, and their objects.

import {
  type ComputedResource,
  formatTime,
  ignoreNotFound,
  type KubeObject,
  notFound,
  type ObjectMeta,
} from '../api/api.ts';
import type { ComponentContext } from '../client/client.ts';
import { addQuantities, formatQuantity } from '../machinery/quantity.ts';
import { formatDuration } from '../machinery/time/duration.ts';
import type { Scraper } from './scraper.ts';
import { podUsage, type Usage, usageBetween } from './usage.ts';

interface Quantities {
  readonly cpu: string;
  readonly memory: string;
}

interface Measured extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
}
interface NodeMetrics extends Measured {
  readonly usage: Quantities;
}
interface PodMetrics extends Measured {
  readonly containers: readonly { readonly name: string; readonly usage: Quantities }[];
}

type Context = Pick<ComponentContext, 'client' | 'clock'>;

const group = 'metrics.k8s.io';
const version = 'v1beta1';
const apiVersion = `${group}/${version}`;

export const metricsResources = (context: Context, scraper: Scraper): readonly ComputedResource[] => [
  {
    ...{ group, version, resource: 'nodes', kind: 'NodeMetrics', namespaced: false },
    schema: schemaOf('usage', quantities),
    columns: columnsOf((object) => (object as NodeMetrics).usage),
    read: (_, name) => nodeMetrics(context, scraper, name),
  },
  {
    ...{ group, version, resource: 'pods', kind: 'PodMetrics', namespaced: true },
    schema: schemaOf('containers', {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'usage'],
        properties: { name: { type: 'string' }, usage: quantities },
      },
    }),
    columns: columnsOf((object) => total((object as PodMetrics).containers.map(({ usage }) => usage))),
    read: (namespace, name) => podMetrics(context, scraper, namespace, name),
  },
];

async function nodeMetrics(context: Context, scraper: Scraper, name: string): Promise<NodeMetrics[]> {
  const { client } = context;
  const nodes = name
    ? [await client.get('nodes', { name }).catch(ignoreNotFound)].filter((node) => node !== undefined)
    : (await client.list('nodes')).items;
  const scrapes = await scraper.scrapes();
  const found = nodes.flatMap(({ metadata }) => {
    const { previous, last } = scrapes.get(metadata.name) ?? {};
    const usage = last?.node && usageBetween(previous?.node, last.node);
    return usage ? [{ ...frame('NodeMetrics', metadata, context, usage), usage: quantitiesOf(usage) }] : [];
  });
  if (name && found.length === 0) throw notFound({ group, resource: 'nodemetrics' }, name);
  return found;
}

async function podMetrics(context: Context, scraper: Scraper, namespace: string, name: string): Promise<PodMetrics[]> {
  const { client } = context;
  const pods = name
    ? [await client.get('pods', { namespace, name }).catch(ignoreNotFound)].filter((pod) => pod !== undefined)
    : (await client.list('pods', namespace ? { namespace } : {})).items;
  const scrapes = await scraper.scrapes();
  const found = pods.flatMap(({ metadata, spec }) => {
    const { previous, last } = scrapes.get(spec.nodeName ?? '') ?? {};
    const key = `${metadata.namespace}/${metadata.name}`;
    const samples = last?.pods.get(key);
    const usages = samples && podUsage(previous?.pods.get(key), samples);
    const [first] = usages?.values() ?? [];
    if (!usages || !first) return [];
    const containers = [...usages].map(([container, usage]) => ({ name: container, usage: quantitiesOf(usage) }));
    return [{ ...frame('PodMetrics', metadata, context, first), containers }];
  });
  if (name && found.length === 0) throw notFound({ group, resource: 'podmetrics' }, `${namespace}/${name}`);
  return found;
}

function frame(kind: string, { name, namespace, labels }: ObjectMeta, { clock }: Context, usage: Usage): Measured {
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    creationTimestamp: formatTime(clock.now()),
    ...(labels && { labels }),
  } as ObjectMeta;
  const window = formatDuration(Math.round(usage.windowMs));
  return { kind, apiVersion, metadata, timestamp: formatTime(usage.atMs), window };
}

const nanosPerUnit = 1_000_000_000n;

/** In units of a billionth of a core, and of 1024 bytes. */
const quantitiesOf = ({ cpuCores, memoryBytes }: Usage): Quantities => ({
  cpu: formatQuantity({ nanos: BigInt(Math.round(cpuCores * 1e9)), format: 'DecimalSI' }),
  memory: formatQuantity({ nanos: BigInt(Math.round(memoryBytes)) * nanosPerUnit, format: 'BinarySI' }),
});

const total = (usages: readonly Quantities[]): Quantities =>
  usages.reduce((sum, { cpu, memory }) => ({
    cpu: addQuantities(sum.cpu, cpu),
    memory: addQuantities(sum.memory, memory),
  }));

const columnsOf = (usageOf: (object: KubeObject) => Quantities): ComputedResource['columns'] => [
  { name: 'cpu', type: 'string', description: 'CPU in cores', cell: (object) => usageOf(object).cpu },
  { name: 'memory', type: 'string', description: 'Memory in bytes', cell: (object) => usageOf(object).memory },
  {
    name: 'Window',
    type: 'string',
    description: 'Time over which the CPU usage is averaged',
    cell: (object) => (object as Measured).window,
  },
];

const quantities = {
  type: 'object',
  description: 'Quantities by the name of the resource.',
  additionalProperties: { type: 'string' },
};

const schemaOf = (field: string, schema: object) => ({
  type: 'object',
  required: ['timestamp', 'window', field],
  properties: {
    timestamp: { type: 'string', format: 'date-time', description: 'End of the window.' },
    window: { type: 'string', description: 'Time over which the CPU usage is averaged, such as 15s.' },
    [field]: schema,
  },
});
