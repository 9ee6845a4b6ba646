// The day since which uses of service account tokens in secrets are recorded: the cleaner of such tokens needs it.

import { isAlreadyExists, isConflict, isNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';

const metadata = { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: 'kube-system' };

/** Restores the ConfigMap, and replaces a date that is none. */
export async function ensureTokenTracking(client: Client, clock: Pick<Clock, 'now'>): Promise<void> {
  const existing = await client.get('configmaps', metadata).catch((error) => {
    if (!isNotFound(error)) throw error;
  });
  if (existing && isDate(existing.data?.since ?? '')) return;
  const data = { ...existing?.data, since: new Date(clock.now()).toISOString().slice(0, 10) };
  const written = existing
    ? client.update('configmaps', { ...existing, data })
    : client.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  await written.catch((error) => {
    // Another API server was faster.
    if (!isAlreadyExists(error) && !isConflict(error)) throw error;
  });
}

const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
