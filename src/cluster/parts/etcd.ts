// The etcd member of a server.

import path from 'node:path';
import type { RunningComponent } from '../../client/client.ts';
import type { PartContext } from '../context.ts';
import { type EtcdMember, startEtcdMember } from '../etcd-member/etcd-member.ts';
import { migrateToEtcd } from '../joining/migrate.ts';

export interface EtcdPart extends RunningComponent {
  readonly member: EtcdMember;
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
      ...(endpoints && { join: { endpoints } }),
    },
    context,
  );
  if (!server.isConfirmed)
    await migrateToEtcd(directory, member, context).catch(async (error) => {
      await member.stop();
      throw error;
    });
  return {
    member,
    health: () => member.health(),
    stop: () => (endpoints && !server.isConfirmed ? withdraw(member) : member.stop()),
  };
}

/** A machine whose first start failed is no server: a member of it would count for the quorum of the others. */
const withdraw = (member: EtcdMember): Promise<void> =>
  member.leave().catch(async (error) => {
    await member.stop();
    throw error;
  });
