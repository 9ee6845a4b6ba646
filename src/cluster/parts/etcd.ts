// The etcd member of a server.

import path from 'node:path';
import type { RunningComponent } from '../../client/client.ts';
import type { PartContext } from '../context.ts';
import { type EtcdMember, EtcdMemberError, startEtcdMember } from '../etcd-member/etcd-member.ts';
import { migrateToEtcd } from '../joining/migrate.ts';

export interface EtcdPart extends RunningComponent {
  readonly member: EtcdMember;
  /**
   * The member leaves its cluster when the part stops: the components above it have released their Leases by then.
   * Rejects with EtcdMemberError if the others could not agree on it now.
   */
  leaveAtStop(): Promise<void>;
}

export async function startEtcdPart(context: PartContext): Promise<EtcdPart> {
  const { config, directory, server } = context;
  if (!server) throw new Error('an etcd member belongs to a server');
  const { etcdCa, endpoints } = server;
  const member = await startEtcdMember(
    {
      directory: path.join(directory.root, 'etcd'),
      name: config.nodeNames[0],
      address: config.nodeIP,
      ca: etcdCa,
      onRemoved: (error) => context.fatal(error),
      ...(endpoints && { join: { endpoints } }),
    },
    context,
  );
  if (!server.isConfirmed)
    await migrateToEtcd(directory, member, context).catch(async (error) => {
      await member.stop();
      throw error;
    });
  let isDeleted = false;
  /** Judged at the stop: a start is confirmed after this part has started. */
  const leaves = () => isDeleted || (endpoints !== undefined && !server.isConfirmed);
  return {
    member,
    async leaveAtStop() {
      await checkOthers(member, config.nodeNames[0]);
      isDeleted = true;
    },
    health: () => member.health(),
    stop: () => (leaves() ? withdraw(member) : member.stop()),
  };
}

/** A machine whose first start failed is no server: a member of it would count for the quorum of the others. */
const withdraw = (member: EtcdMember): Promise<void> =>
  member.leave().catch(async (error) => {
    await member.stop();
    throw error;
  });

async function checkOthers(member: EtcdMember, own: string): Promise<void> {
  const others = (await member.members()).filter(({ name, isLearner }) => name !== own && !isLearner);
  const answering = others.filter(({ version }) => version !== undefined).length;
  if (answering * 2 <= others.length)
    throw new EtcdMemberError(`${answering} of the ${others.length} other etcd members answer`);
}
