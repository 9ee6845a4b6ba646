// Changes of the members of an etcd cluster. etcd refuses them while members are down, and for seconds after a change.

import type { Clock } from '../../machinery/time/clock.ts';
import { type EtcdCluster, EtcdError, type EtcdMemberInfo } from '../../store/store.ts';
import { EtcdMemberError } from './interface.ts';

const settleMs = 30_000;
const pollMs = 250;

interface Changing {
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
      if (!isSettling(error) || clock.monotonic() > lastMs)
        throw new EtcdMemberError(`etcd refuses ${name}: ${error.message}${await remedyOf(error, cluster)}`);
      await clock.sleep(pollMs, signal);
    }
}

export const removeMember = (changing: Changing, { id, name }: EtcdMemberInfo): Promise<void> =>
  settled(changing, `removing the member ${name || id}`, () =>
    changing.cluster.remove(id).catch((error: EtcdError) => {
      if (error.refusal !== 'no such member') throw error; // the lost answer of an earlier call
    }),
  );

export const isSettling = ({ refusal }: EtcdError): boolean =>
  refusal === 'too many learners' || refusal === 'members are down' || refusal === 'no leader';

async function remedyOf({ refusal }: EtcdError, cluster: EtcdCluster): Promise<string> {
  if (refusal === 'too many learners') return ': another machine is joining; try again when it has joined';
  if (refusal !== 'members are down') return '';
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
