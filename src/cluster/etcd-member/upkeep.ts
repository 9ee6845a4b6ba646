// The upkeep of an etcd cluster: defragmentation, and the alarm of a full database.

import type { Logger } from '../../machinery/logger.ts';
import type { EtcdAlarm, EtcdCluster, EtcdMemberInfo, EtcdStatus } from '../../store/store.ts';

export interface SeenMember {
  readonly info: EtcdMemberInfo;
  /** Absent: it does not answer. */
  readonly status?: EtcdStatus;
}

const wastedShare = 0.5;
const wastedBytes = 100 * 2 ** 20;
/** etcd compares the size of the file with the quota, free pages included: they are released before it is full. */
const nearQuota = { sizeShare: 0.8, wastedShare: 0.25 };
/** With an alarm, the free pages that defragmentation must release. */
const wastedShareAtQuota = 0.1;
/**
 * etcd counts released pages as used until its next changes are on the disk, and with an alarm there may be no more
 * changes. So a full member is also defragmented by the time since the last one: the longer, the larger it is.
 */
const waitAtQuota = { leastMs: 10_000, msPerMegabyte: 100 };
/** Share of the quota below which the alarm is disarmed: the next write must not raise it again. */
const disarmShare = 0.9;

interface Limits {
  readonly quotaBytes: number;
  /** Since the last defragmentation of a member with an alarm. */
  readonly sinceMs: number;
}

/** Members whose files are mostly free pages, the leader last. Writes stop while the leader is defragmented. */
export function membersToDefragment(
  members: readonly SeenMember[],
  alarms: readonly EtcdAlarm[],
  { quotaBytes, sinceMs }: Limits,
): readonly SeenMember[] {
  const wasteful = members.filter(({ info, status }) => {
    if (!status) return false;
    const wasted = status.sizeBytes - status.inUseBytes;
    if (alarms.some(({ memberId, alarm }) => memberId === info.id && alarm === 'NOSPACE'))
      return wasted > wastedShareAtQuota * status.sizeBytes || sinceMs > longestWaitMs(status.sizeBytes);
    if (status.sizeBytes > nearQuota.sizeShare * quotaBytes && wasted > nearQuota.wastedShare * status.sizeBytes)
      return true;
    return wasted > wastedBytes && wasted > wastedShare * status.sizeBytes;
  });
  const isLeader = ({ info, status }: SeenMember) => status?.leader === info.id;
  return [...wasteful.filter((member) => !isLeader(member)), ...wasteful.filter(isLeader)];
}

const longestWaitMs = (sizeBytes: number): number =>
  Math.max(waitAtQuota.leastMs, (waitAtQuota.msPerMegabyte * sizeBytes) / 2 ** 20);

/** The alarms of members that have space again. */
export const alarmsToDisarm = (
  members: readonly SeenMember[],
  alarms: readonly EtcdAlarm[],
  quotaBytes: number,
): readonly EtcdAlarm[] =>
  alarms.filter(({ memberId, alarm }) => {
    const status = members.find(({ info }) => info.id === memberId)?.status;
    return alarm === 'NOSPACE' && status !== undefined && status.sizeBytes < disarmShare * quotaBytes;
  });

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

export function alarmText({ memberId, alarm }: EtcdAlarm, members: readonly SeenMember[], quotaBytes: number): string {
  const { info, status } = members.find(({ info }) => info.id === memberId) ?? {};
  const name = info?.name || memberId;
  if (alarm === 'CORRUPT')
    return `the data of etcd member ${name} differs from that of the others: remove the member and let it join anew`;
  const use = status ? `${megabytes(status.inUseBytes)} in use of ` : '';
  return `the database of etcd member ${name} is full (${use}${megabytes(quotaBytes)}), so etcd rejects writes: delete objects that are not needed; history is compacted every 5 minutes, then the database is defragmented and the alarm ends by itself`;
}

interface Maintained extends Limits {
  readonly alarms: readonly EtcdAlarm[];
  /** The present state of the members. */
  see(): Promise<readonly SeenMember[]>;
}

/** One round, by the leader's machine. Resolves with the members that it has defragmented. */
export async function maintain(
  cluster: EtcdCluster,
  logger: Logger,
  { quotaBytes, sinceMs, alarms, see }: Maintained,
): Promise<readonly SeenMember[]> {
  const before = await see();
  const isComplete = before.every(({ status }) => status);
  const wasteful = isComplete ? membersToDefragment(before, alarms, { quotaBytes, sinceMs }) : [];
  // Each is unavailable while it is defragmented: all of them must be up.
  for (const { info, status } of wasteful) {
    await cluster.defragment(info.clientUrls[0]);
    const { sizeBytes } = await cluster.status(info.clientUrls[0]);
    logger.info('etcd member defragmented', { member: info.name, beforeBytes: status?.sizeBytes, sizeBytes });
  }
  if (alarms.length === 0) return wasteful;
  for (const alarm of alarmsToDisarm(await see(), alarms, quotaBytes)) {
    await cluster.disarm(alarm);
    logger.info('etcd alarm disarmed', { ...alarm });
  }
  return wasteful;
}
