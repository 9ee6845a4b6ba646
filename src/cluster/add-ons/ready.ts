// A cluster is usable once its services and their names work.

import { ignoreNotFound, isPodReady, type Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { addOnLabel } from './objects.ts';

const namespace = 'kube-system';
const patienceMs = 5_000;

interface ReadyTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly nodeNames: readonly string[];
  /** When the process of these nodes started: their pods' former containers have ended (milliseconds of `clock`). */
  readonly sinceMs: number;
}

/**
 * Resolves once kube-proxy is Ready on these nodes, and cluster DNS anywhere, or after 5 s: their pods show why. Those that
 * a user has changed or deleted are not awaited. Returns whether there were any.
 */
export async function addOnsReady({ client, clock, nodeNames, sinceMs }: ReadyTools): Promise<boolean> {
  const proxy = await client.get('daemonsets', { namespace, name: 'kube-proxy' }).catch(ignoreNotFound);
  const dns = await client.get('deployments', { namespace, name: 'cluster-dns' }).catch(ignoreNotFound);
  const isOurs = (object: typeof proxy | typeof dns) =>
    object?.metadata.generation === 1 && object.metadata.labels?.[addOnLabel] !== undefined;
  const missing = new Set([...(isOurs(proxy) ? nodeNames : []), ...(isOurs(dns) ? ['dns'] : [])]);
  const runs = ({ spec, status }: Pod) =>
    !nodeNames.includes(spec.nodeName ?? '') ||
    // Times of the API have whole seconds.
    status?.containerStatuses?.every(({ state }) => Date.parse(state?.running?.startedAt ?? '') > sinceMs - 1_000);
  const see = (pod: Pod) => {
    if (!isPodReady(pod) || !runs(pod)) return;
    missing.delete(pod.metadata.labels?.['k8s-app'] === 'kube-dns' ? 'dns' : (pod.spec.nodeName ?? ''));
  };
  if (missing.size === 0) return false;
  const over = new AbortController();
  const late = clock.after(patienceMs, () => over.abort());
  const labelSelector = 'k8s-app in (kube-proxy, kube-dns)';
  try {
    for await (const event of client.watch('pods', { namespace, labelSelector }, over.signal)) {
      if (event.type === 'ADDED' || event.type === 'MODIFIED') see(event.object);
      if (missing.size === 0 || event.type === 'ERROR') break;
    }
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    late.cancel();
    over.abort();
  }
  return true;
}
