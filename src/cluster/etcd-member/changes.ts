// Changes of the members of an etcd cluster. etcd refuses them while members are down, and for seconds after a change.

import type { Clock } from '../../machinery/time/clock.ts';
import { type EtcdCluster, EtcdError, type EtcdMemberInfo } from '../../store/store.ts';
import { EtcdMemberError } from './interface.ts';

const settleMs = 30_000;
const pollMs = 250;

export interface Changing {
  readonly clock: Clock;
  readonly cluster: EtcdCluster;
  readonly signal: AbortSignal;
}

/** Repeats a change of members while the cluster settles. Throws EtcdMemberError. */
export async function settled<T>(changing: Changing, name: string, change: () => Promise<T>): Promise<T> {
  const { clock, cluster, signal } = changing;
  const lastMs = clock.monotonic() + settleMs;
  for (;;)
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const { message } = error;
      if (!isSettling(message) || clock.monotonic() > lastMs)
        throw new EtcdMemberError(`etcd refuses ${name}: ${message}${await remedyOf(message, cluster)}`);
      await clock.sleep(pollMs, signal);
    }
}

export const removeMember = (changing: Changing, { id, name }: EtcdMemberInfo): Promise<void> =>
  settled(changing, `removing the member ${name || id}`, () =>
    changing.cluster.remove(id).catch((error: EtcdError) => {
      if (!/member not found/.test(error.message)) throw error; // the lost answer of an earlier call
    }),
  );

export const isSettling = (message: string): boolean =>
  /unhealthy cluster|server stopped|too many learner|no leader|leader changed|request timed out|not enough started/i.test(
    message,
  );

async function remedyOf(message: string, cluster: EtcdCluster): Promise<string> {
  if (/too many learner/.test(message)) return ': another machine is joining; try again when it has joined';
  if (!/unhealthy cluster|server stopped|not enough started/.test(message)) return '';
  const { members } = await cluster.members();
  return `${await silentMembers(cluster, members)}: start them again first`;
}

/** The end of a sentence. */
export async function silentMembers(cluster: EtcdCluster, members: readonly EtcdMemberInfo[]): Promise<string> {
  const silent: string[] = [];
  for (const { name, id, clientUrls } of members)
    if (!clientUrls[0] || !(await cluster.status(clientUrls[0]).catch(() => undefined))) silent.push(name || id);
  return silent.length > 0 ? `; these members do not answer: ${silent.join(', ')}` : '';
}
