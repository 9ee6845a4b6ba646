// Empties a namespace that is being deleted, then removes its finalizer.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/

import { ignoreNotFound, isApiError, type KubeObject, type Namespace, type NamespaceCondition } from '../api/api.ts';
import { type Controller, own, settleEach, type Tools, timestamp } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { type DiscoveredResource, type Discovery, discover } from './shared/discovery.ts';

const finalizer = 'kubernetes';
/** Retry interval for content that remains, such as an object with finalizers. */
const retryMs = 5_000;
/** client-go's size of pages. */
const pageSize = 500;
/** Users choose the names of finalizers, and how many there are. */
const namedFinalizers = 100;

export const namespace: Controller = {
  name: 'namespace',
  watches: [
    own('namespaces'),
    {
      // Pods end after their grace period: continue as soon as the last one is gone.
      resource: 'pods',
      matters: () => false,
      *keys({ metadata: { namespace = '' } }: KubeObject, { lister }) {
        if (!lister('namespaces').get(namespace)?.metadata.deletionTimestamp) return;
        if (lister('pods').list(namespace).length === 0) yield namespace;
      },
    },
  ],
  workers: 10,
  async reconcile(name, tools) {
    const found = tools.lister('namespaces').get(name);
    if (!found?.metadata.deletionTimestamp) return;
    // The finalizer decides, and the cache may be stale: read it from the server.
    const live = await tools.client.get('namespaces', { name }).catch(ignoreNotFound);
    if (!live?.metadata.deletionTimestamp || !live.spec?.finalizers?.includes(finalizer)) return;
    const content = await empty(name, tools);
    const current = await writeConditions(live, content, tools);
    if (content.waitMs > 0 || content.failures.length > 0) return { after: content.waitMs || retryMs };
    if (content.discovery.failures.size > 0) throw new Error('not every kind of the namespace could be looked for');
    await finalize(current, tools);
  },
};

interface Content {
  readonly discovery: Discovery;
  /** Resource and count of the remaining objects. */
  readonly remaining: Map<string, number>;
  /** Finalizer and number of objects that have it. */
  readonly finalizers: Map<string, number>;
  readonly failures: string[];
  /** 0 if nothing remains. */
  waitMs: number;
}

async function empty(namespace: string, tools: Tools): Promise<Content> {
  const discovery = await discover(tools.client);
  const deletable = discovery.resources.filter(
    ({ namespaced, verbs }) => namespaced && verbs.includes('delete') && verbs.includes('list'),
  );
  const content: Content = { discovery, remaining: new Map(), finalizers: new Map(), failures: [], waitMs: 0 };
  // Pods first (KEP-5080): objects that protect them, such as a NetworkPolicy, go later.
  const isPods = ({ group, resource }: DiscoveredResource) => group === '' && resource === 'pods';
  for (const resource of deletable.filter(isPods)) await emptyOf(resource, namespace, content, tools);
  if (content.waitMs > 0 || content.failures.length > 0) return content;
  const rest = deletable.filter((resource) => !isPods(resource));
  await settleEach(rest, (resource) => emptyOf(resource, namespace, content, tools));
  return content;
}

async function emptyOf(resource: DiscoveredResource, namespace: string, content: Content, { client, clock }: Tools) {
  try {
    if ((await client.list(resource, { namespace, limit: 1 })).items.length === 0) return;
    const gentle = { propagationPolicy: 'Background' as const };
    if (resource.verbs.includes('deletecollection')) await client.deleteCollection(resource, { namespace }, gentle);
    else
      for await (const page of pagesOf(resource, namespace, client))
        for (const { metadata } of page)
          await client.delete(resource, { namespace, name: metadata.name }, gentle).catch(ignoreNotFound);
    for await (const left of pagesOf(resource, namespace, client))
      if (left.length > 0) note(resource, left, content, clock.now());
  } catch (error) {
    if (isApiError(error) && (error.code === 404 || error.code === 405)) return;
    content.failures.push((error as Error).message);
  }
}

/** A namespace may have more objects than fit in memory at once. */
async function* pagesOf(
  resource: DiscoveredResource,
  namespace: string,
  client: Tools['client'],
): AsyncGenerator<readonly KubeObject[]> {
  let next: string | undefined;
  do {
    const page = await client.list(resource, { namespace, limit: pageSize, ...(next && { continue: next }) });
    yield page.items;
    next = page.continue;
  } while (next);
}

function note(resource: DiscoveredResource, left: readonly KubeObject[], content: Content, nowMs: number): void {
  const name = `${resource.resource}.${resource.group}`;
  content.remaining.set(name, (content.remaining.get(name) ?? 0) + left.length);
  let waitMs = retryMs;
  for (const { metadata } of left) {
    for (const name of metadata.finalizers ?? []) content.finalizers.set(name, (content.finalizers.get(name) ?? 0) + 1);
    if (metadata.finalizers?.length || !metadata.deletionTimestamp) continue;
    // Pods end within their grace period: the next check is after half of it.
    const rest = Date.parse(metadata.deletionTimestamp) - nowMs;
    if (rest > 0) waitMs = Math.max(waitMs, Math.min(rest / 2 + 1000, 15_000));
  }
  content.waitMs = content.waitMs === 0 ? waitMs : Math.min(content.waitMs, waitMs);
}

/** [type, ok, bad]: status, reason and message either way. */
function conditionsOf({
  discovery,
  remaining,
  finalizers,
  failures,
}: Content): Omit<NamespaceCondition, 'lastTransitionTime'>[] {
  const condition = (type: string, text: string, ok: [string, string], badReason: string) =>
    text
      ? { type, status: 'True', reason: badReason, message: text }
      : { type, status: 'False', reason: ok[0], message: ok[1] };
  const undiscovered = [...discovery.failures]
    .map(([version, error]) => `${version}: ${error}`)
    .sort()
    .join(', ');
  const left = [...remaining].sort().map(([resource, count]) => `${resource} has ${count} resource instances`);
  const held = [...finalizers].sort().map(([name, count]) => `${name} in ${count} resource instances`);
  if (held.length > namedFinalizers) held.splice(namedFinalizers, held.length, `${held.length - namedFinalizers} more`);
  return [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      undiscovered &&
        `Discovery failed for some groups, ${discovery.failures.size} failing: unable to retrieve the complete list of server APIs: ${undiscovered}`,
      ['ResourcesDiscovered', 'All resources successfully discovered'],
      'DiscoveryFailed',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      '',
      ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
      'GroupVersionParsingFailed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      failures.length > 0
        ? `Failed to delete all resource types, ${failures.length} remaining: ${failures.sort().join(', ')}`
        : '',
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
      'ContentDeletionFailed',
    ),
    condition(
      'NamespaceContentRemaining',
      left.length > 0 ? `Some resources are remaining: ${left.join(', ')}` : '',
      ['ContentRemoved', 'All content successfully removed'],
      'SomeResourcesRemain',
    ),
    condition(
      'NamespaceFinalizersRemaining',
      held.length > 0 ? `Some content in the namespace has finalizers remaining: ${held.join(', ')}` : '',
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
      'SomeFinalizersRemain',
    ),
  ];
}

async function writeConditions(live: Namespace, content: Content, { client, clock }: Tools): Promise<Namespace> {
  const previous = live.status?.conditions ?? [];
  const now = timestamp(clock.now());
  const fresh = conditionsOf(content).map((next) => {
    const old = previous.find(({ type }) => type === next.type);
    const same = old?.status === next.status && old.reason === next.reason && old.message === next.message;
    return same ? old : { ...next, lastTransitionTime: old?.status === next.status ? old.lastTransitionTime : now };
  });
  const others = previous.filter(({ type }) => fresh.every((condition) => condition.type !== type));
  const conditions = [...others, ...fresh] as NamespaceCondition[];
  if (deepEqual(conditions, previous)) return live;
  return client.update('namespaces', { ...live, status: { ...live.status, conditions } }, { subresource: 'status' });
}

async function finalize(live: Namespace, { client }: Tools): Promise<void> {
  const finalizers = (live.spec?.finalizers ?? []).filter((name) => name !== finalizer);
  const next = { ...live, spec: { ...live.spec, finalizers } };
  await client.update('namespaces', next, { subresource: 'finalize' }).catch(ignoreNotFound);
}
