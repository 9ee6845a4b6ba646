// The objects that every control plane has from its start: namespaces, default roles and bindings, priority classes,
// flow schemas, the service of the API server. Recorded from Kubernetes 1.36 (facts/bootstrap.json).

import bootstrap from '../../../facts/bootstrap.json' with { type: 'json' };
import { isAlreadyExists, type ServicePort } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { fieldsIn } from '../../machinery/parsed.ts';
import { ensureAuthenticationInfo } from './authentication-info.ts';
import {
  type BootstrapInputs,
  defaultStorageClass,
  extraObjects,
  metricsRoles,
  type SystemObject,
} from './extra-objects.ts';
import { ensureTokenTracking } from './token-tracking.ts';

/** Collections in the order in which they depend on one another. */
const order = ['/api/v1/namespaces', '/apis/scheduling.k8s.io/v1/priorityclasses'];
/** Collections whose objects are made elsewhere: by the allocation of services, default-service-range.ts, and others. */
const madeElsewhere = /\/(ipaddresses|servicecidrs|configmaps)$/;

/** Creates missing objects, and restores missing rules of default roles (annotation autoupdate). Other objects stay. */
export async function ensureBootstrapObjects(client: Client, inputs: BootstrapInputs): Promise<void> {
  const recorded = recordedObjects(inputs);
  const rank = (path: string) => (order.includes(path) ? order.indexOf(path) : order.length);
  for (const level of [...order.keys(), order.length])
    await Promise.all(
      recorded.filter(([path]) => rank(path) === level).map(([path, objects]) => ensureAll(client, path, objects)),
    );
  const extra = Map.groupBy(extraObjects(inputs), ([path]) => path);
  await Promise.all(
    [...extra].map(([path, entries]) =>
      ensureAll(
        client,
        path,
        entries.map(([, object]) => object),
      ),
    ),
  );
  await ensureAuthenticationInfo(client, inputs);
  await ensureTokenTracking(client, inputs.clock);
}

/** Annotation of kube-system: the class was made once, and is the user's to change or delete. */
const classMade = 'coracle.local/default-storage-class';

/** Makes the default StorageClass, once in the life of a cluster. */
export async function ensureDefaultStorageClass(client: Client): Promise<void> {
  const system = { name: 'kube-system' };
  const { metadata } = await client.get('namespaces', system);
  if (metadata.annotations?.[classMade] !== undefined) return;
  await client.raw('POST', '/apis/storage.k8s.io/v1/storageclasses', defaultStorageClass).catch((error) => {
    if (!isAlreadyExists(error)) throw error;
  });
  const annotations = { [classMade]: defaultStorageClass.metadata.name };
  await client.patch('namespaces', system, { type: 'merge', body: { metadata: { annotations } } });
}

/** Roles for the metrics of nodes and pods: of the component that reads the usage, and of all who may view objects. */
export async function ensureMetricsRoles(client: Client): Promise<void> {
  for (const [collection, object] of metricsRoles()) await ensureAll(client, collection, [object]);
}

const recordedObjects = (inputs: BootstrapInputs) =>
  Object.entries(bootstrap.objects as Record<string, SystemObject[]>)
    .filter(([path]) => !madeElsewhere.test(path))
    .map(([path, objects]) => [path, objects.map((object) => adapt(path, object, inputs))] as const);

/** Creates missing objects of some collections while the server runs; existing ones stay. */
export async function ensureCollections(
  client: Client,
  inputs: BootstrapInputs,
  collections: readonly string[],
): Promise<void> {
  const wanted = new Map(recordedObjects(inputs));
  for (const path of collections) await ensureAll(client, path, wanted.get(path) ?? []);
}

/** The recorded objects carry the addresses of where they were recorded. */
function adapt(path: string, recorded: SystemObject, inputs: BootstrapInputs): SystemObject {
  const { status: _status, ...object } = recorded;
  const kind = { apiVersion: path.startsWith('/api/') ? 'v1' : path.split('/').slice(2, 4).join('/') };
  if (path.endsWith('/services')) {
    const recordedSpec = fieldsIn(object['spec']);
    const [port] = recordedSpec['ports'] as ServicePort[];
    const spec = {
      ...recordedSpec,
      ports: [{ ...port, targetPort: inputs.endpoint.port }],
      clusterIP: inputs.apiServiceIP,
      clusterIPs: [inputs.apiServiceIP],
      ipFamilies: [inputs.apiServiceIP.includes(':') ? 'IPv6' : 'IPv4'],
    };
    return { ...kind, ...object, spec };
  }
  return { ...kind, ...object };
}

function pathOf(collection: string, object: SystemObject): string {
  const { namespace } = object.metadata;
  if (!namespace) return collection;
  const parts = collection.split('/');
  return [...parts.slice(0, -1), 'namespaces', namespace, parts.at(-1)].join('/');
}

const nameOf = ({ metadata }: SystemObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

/** One list per collection, so that a later start writes nothing. */
async function ensureAll(client: Client, collection: string, objects: readonly SystemObject[]): Promise<void> {
  const list = await client.raw<{ readonly items: readonly SystemObject[] }>('GET', collection);
  const existing = new Map(list.items.map((item) => [nameOf(item), item]));
  await Promise.all(objects.map((object) => ensure(client, collection, object, existing.get(nameOf(object)))));
}

async function ensure(
  client: Client,
  collection: string,
  object: SystemObject,
  current: SystemObject | undefined,
): Promise<void> {
  const path = pathOf(collection, object);
  if (current && collection.includes('/rbac.authorization.k8s.io/'))
    return reconcile(client, `${path}/${object.metadata.name}`, object, current);
  if (current) return;
  await client.raw('POST', path, object).catch((error) => {
    if (!isAlreadyExists(error)) throw error; // another control plane of the cluster was faster
  });
}

const itemsOf = (object: SystemObject, field: string): readonly unknown[] => (object[field] as unknown[] | null) ?? [];

/** Restores missing rules of default roles after an upgrade, unless their owner opted out. */
async function reconcile(client: Client, path: string, wanted: SystemObject, current: SystemObject): Promise<void> {
  if (current.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] === 'false') return;
  const missing = (field: string) =>
    itemsOf(wanted, field).filter((w) => !itemsOf(current, field).some((h) => deepEqual(h, w)));
  const rules = wanted['aggregationRule'] ? [] : missing('rules');
  const subjects = missing('subjects');
  if (rules.length === 0 && subjects.length === 0) return;
  const next = {
    ...current,
    ...(rules.length > 0 && { rules: [...itemsOf(current, 'rules'), ...rules] }),
    ...(subjects.length > 0 && { subjects: [...itemsOf(current, 'subjects'), ...subjects] }),
  };
  await client.raw('PUT', path, next);
}
