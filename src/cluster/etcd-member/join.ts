// Joining an existing etcd cluster: the member is added as a learner, and promoted when it has caught up.
// https://etcd.io/docs/v3.4/learning/design-learner/

import type { Clock } from '../../machinery/time/clock.ts';
import type { EtcdCluster, EtcdError, EtcdMemberInfo } from '../../store/store.ts';
import type { InitialCluster } from './arguments.ts';
import { isSettling, removeMember, settled, silentMembers } from './changes.ts';
import { EtcdMemberError } from './interface.ts';
import { compareMinor } from './program.ts';

/** A learner first receives the whole database. */
const catchUpMs = 600_000;
const pollMs = 250;

export interface Joiner {
  readonly clock: Clock;
  /** Of the existing members. */
  readonly cluster: EtcdCluster;
  readonly endpoints: readonly string[];
  readonly name: string;
  readonly peerUrl: string;
  readonly version: string;
  readonly signal: AbortSignal;
}

interface JoinedCluster {
  readonly clusterId: string;
  readonly members: readonly EtcdMemberInfo[];
}

/** Checks all that can be checked before the cluster changes. Throws EtcdMemberError. */
export async function inspectCluster(joiner: Joiner): Promise<JoinedCluster> {
  const { cluster, endpoints } = joiner;
  const found = await cluster.members().catch((error: EtcdError) => {
    throw new EtcdMemberError(`${unreachable(endpoints)}: ${reasonOf(error.message)}`);
  });
  await checkSameCluster(joiner, found.clusterId);
  await checkVersion(joiner, found.members);
  await cluster.confirmQuorum().catch(async (error: EtcdError) => {
    throw new EtcdMemberError(await noQuorum(joiner, found.members, error));
  });
  return found;
}

const unreachable = (endpoints: readonly string[]) => `no etcd member of the cluster answers (${endpoints.join(', ')})`;

function reasonOf(message: string): string {
  if (/certificate|handshake|TLS alert|SSL/i.test(message))
    return `${message}: it does not accept this cluster's certificates, so it is probably the etcd of another cluster`;
  return `${message}: check the addresses, and that no firewall closes these ports`;
}

async function checkSameCluster({ cluster, endpoints }: Joiner, clusterId: string): Promise<void> {
  for (const url of endpoints) {
    const status = await cluster.status(url).catch(() => undefined);
    if (status && status.clusterId !== clusterId)
      throw new EtcdMemberError(
        `${endpoints[0]} and ${url} are members of different etcd clusters: give endpoints of one cluster`,
      );
  }
}

async function checkVersion({ cluster, version }: Joiner, members: readonly EtcdMemberInfo[]): Promise<void> {
  for (const { name, clientUrls } of members) {
    const status = clientUrls[0] && (await cluster.status(clientUrls[0]).catch(() => undefined));
    if (!status) continue;
    const [difference, minors] = [compareMinor(version, status.version), [version, status.version].map(minorOf)];
    if (difference < 0 || minors[0] - minors[1] > 1)
      throw new EtcdMemberError(
        `etcd on this machine is ${version} and that of member ${name} is ${status.version}: install the same minor version (one minor version newer works, too)`,
      );
  }
}

const minorOf = (version: string): number => Number(version.split('.')[1]);

async function noQuorum(joiner: Joiner, members: readonly EtcdMemberInfo[], error: EtcdError): Promise<string> {
  const silent = await silentMembers(joiner.cluster, members);
  return `the etcd cluster has no quorum (${error.message})${silent}: start them again, or restore the cluster from a backup`;
}

/**
 * Removes members that this one takes the place of: a dead one of its name, and one at its address that never
 * completed its own joining. Throws EtcdMemberError when a living member has the name or the address.
 */
export async function removeReplaced(joiner: Joiner, members: readonly EtcdMemberInfo[]): Promise<void> {
  const { cluster, name, peerUrl } = joiner;
  for (const member of members) {
    const isNamesake = member.name === name;
    const isAtAddress = member.peerUrls.includes(peerUrl);
    if (!isNamesake && !isAtAddress) continue;
    const url = member.clientUrls[0];
    if (url !== undefined && (await cluster.status(url).catch(() => undefined)))
      throw new EtcdMemberError(
        isNamesake
          ? `a living etcd member has the name ${name} (${url}): choose another name, or stop it to replace it`
          : `the living etcd member ${member.name} has the address ${peerUrl}: choose another address or port`,
      );
    if (!isNamesake && member.name !== '')
      throw new EtcdMemberError(
        `the etcd member ${member.name}, which does not answer, has the address ${peerUrl}: remove it first (coracle node remove ${member.name}), or choose another address`,
      );
    await removeMember(joiner, member);
  }
}

/** Adds this member as a learner. Returns its id, and the cluster that it starts in. */
export async function addLearner(joiner: Joiner): Promise<{ id: string; initial: InitialCluster }> {
  const { cluster, name, peerUrl } = joiner;
  const { id, members } = await settled(joiner, 'adding a member', () => cluster.addLearner(peerUrl));
  const named = members.flatMap((member) =>
    member.peerUrls.map((url) => `${member.id === id ? name : member.name || member.id}=${url}`),
  );
  return { id, initial: { state: 'existing', members: named.join(','), token: '' } };
}

/** Promotes the learner once it has caught up with the leader. */
export async function promoteWhenInSync({ clock, cluster, signal }: Joiner, id: string): Promise<void> {
  const lastMs = clock.monotonic() + catchUpMs;
  for (;;)
    try {
      return await cluster.promote(id);
    } catch (error) {
      const { message, unreachable, refusal } = error as EtcdError;
      if (refusal === 'no learner') return; // the lost answer of an earlier call
      const isPassing = refusal === 'not in sync' || unreachable || isSettling(error as EtcdError);
      if (!isPassing) throw new EtcdMemberError(`etcd does not promote this member: ${message}`);
      if (clock.monotonic() > lastMs)
        throw new EtcdMemberError(
          `this etcd member did not catch up with the leader in ${catchUpMs / 60_000} minutes (${message}): check the network between the machines and the speed of the disk`,
        );
      await clock.sleep(pollMs, signal);
    }
}
