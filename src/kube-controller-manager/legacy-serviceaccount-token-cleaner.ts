// Marks generated tokens of service accounts invalid when they have not been used for a year, and deletes them when they
// have been invalid for another year. Tokens in secrets that users created stay.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#legacy-serviceaccount-token-cleaner

import {
  formatDate,
  ignoreNotFound,
  isConflict,
  isNotFound,
  type Secret,
  type ServiceAccount,
  secretsOf,
} from '../api/api.ts';
import type { Controller, Tools } from '../client/client.ts';

const everyMs = 24 * 3_600_000;
const unusedMs = 365 * everyMs;
const everything = 'secrets';
const type = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used';
const invalidLabel = 'kubernetes.io/legacy-token-invalid-since';
/** Its date is that of the first day on which uses were recorded. */
const tracking = { namespace: 'kube-system', name: 'kube-apiserver-legacy-service-account-token-tracking' };

export const legacyServiceAccountTokenCleaner: Controller = {
  name: 'legacy-serviceaccount-token-cleaner',
  watches: [],
  reads: ['secrets', 'serviceaccounts', 'pods'],
  workers: 1,
  start: (_, enqueue) => enqueue(everything),
  async reconcile(_, tools) {
    await clean(tools).catch((error: unknown) => {
      tools.logger.error('unused service account tokens not cleaned up', { error: String(error) });
    });
    return { after: everyMs };
  },
};

async function clean(tools: Tools): Promise<void> {
  const nowMs = tools.clock.now();
  const trackedSince = await firstTrackedDay(tools);
  if (trackedSince === undefined || nowMs < trackedSince + everyMs + unusedMs) return;
  const used = new Map<string, ReadonlySet<string>>();
  for (const secret of tools.lister('secrets').list()) {
    if (!isUnused(secret, nowMs) || !isGenerated(secret, tools)) continue;
    const { namespace = '', name } = secret.metadata;
    if (!used.has(namespace)) used.set(namespace, secretsOfPods(namespace, tools));
    if (!used.get(namespace)?.has(name)) await retire(secret, nowMs, tools);
  }
}

/** In milliseconds since the epoch; undefined: the API server does not record uses. */
async function firstTrackedDay({ client }: Tools): Promise<number | undefined> {
  const map = await client.get('configmaps', tracking).catch(ignoreNotFound);
  if (!map) return undefined;
  const since = map.data?.since ?? '';
  if (!isDate(since)) throw new Error(`${tracking.name} has no date since which uses are recorded: ${since}`);
  return Date.parse(since);
}

function isUnused({ type: given, metadata }: Secret, nowMs: number): boolean {
  if (given !== type || metadata.deletionTimestamp) return false;
  if (Date.parse(metadata.creationTimestamp ?? '') >= nowMs - unusedMs) return false;
  const lastUsed = metadata.labels?.[lastUsedLabel];
  return lastUsed === undefined || (isDate(lastUsed) && lastUsed < formatDate(nowMs - unusedMs));
}

/** The account refers to generated tokens only. */
function isGenerated({ metadata }: Secret, { lister }: Tools): boolean {
  const { namespace = '', name, annotations } = metadata;
  const account: ServiceAccount | undefined = lister('serviceaccounts').get(
    `${namespace}/${annotations?.[nameAnnotation] ?? ''}`,
  );
  const uid = annotations?.[uidAnnotation];
  if (!account || (uid && uid !== account.metadata.uid)) return false;
  return account.secrets?.some((reference) => reference.name === name) ?? false;
}

const secretsOfPods = (namespace: string, { lister }: Tools): ReadonlySet<string> =>
  new Set(
    lister('pods')
      .list(namespace)
      .flatMap((pod) => [...secretsOf(pod)]),
  );

async function retire({ metadata }: Secret, nowMs: number, { client, logger }: Tools): Promise<void> {
  const { namespace = '', name, uid, resourceVersion, labels } = metadata;
  const key = { namespace, name };
  const invalidSince = labels?.[invalidLabel] ?? '';
  try {
    if (!isDate(invalidSince)) {
      logger.info('unused service account token marked invalid', key);
      const body = { metadata: { uid, labels: { [invalidLabel]: formatDate(nowMs) } } };
      await client.patch('secrets', key, { type: 'merge', body });
    } else if (invalidSince < formatDate(nowMs - unusedMs)) {
      logger.info('invalid service account token deleted', { ...key, invalidSince });
      await client.delete('secrets', key, { preconditions: { resourceVersion } });
    }
  } catch (error) {
    // It was used or deleted in the meantime.
    if (!isConflict(error) && !isNotFound(error))
      logger.error('unused service account token not cleaned up', { ...key, error: String(error) });
  }
}

const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && formatDate(Date.parse(text)) === text;
