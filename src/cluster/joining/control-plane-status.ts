// The state of a control plane of several servers, for `coracle status`.

import type { Client } from '../../client/client.ts';
import type { EtcdMember, EtcdMemberStatus } from '../etcd-member/etcd-member.ts';

export interface ControlPlaneStatus {
  /** Node that leads, by component. */
  readonly leaders: Readonly<Record<string, string>>;
  readonly members: readonly EtcdMemberStatus[];
  /** One sentence each. */
  readonly problems: readonly string[];
}

const led = ['kube-controller-manager', 'kube-scheduler'];

/** Never rejects: a part that does not answer is a problem. */
export async function controlPlaneStatus(client: Client, etcd: EtcdMember): Promise<ControlPlaneStatus> {
  const problems: string[] = [];
  const [leaders, members] = await Promise.all([
    leadersOf(client).catch((error: Error) => {
      problems.push(`the leaders cannot be read: ${error.message}`);
      return {};
    }),
    etcd.members().catch((error: Error) => {
      problems.push(`the members of etcd cannot be read: ${error.message}`);
      return [];
    }),
  ]);
  for (const { name, clientUrl, version, isLearner } of members)
    if (version === undefined)
      problems.push(
        `the etcd member ${name || clientUrl} does not answer: start its machine, or remove it with "coracle node remove ${name}"`,
      );
    else if (isLearner) problems.push(`the etcd member ${name} is not in sync yet`);
  return { leaders, members, problems };
}

async function leadersOf(client: Client): Promise<Record<string, string>> {
  const entries = await Promise.all(
    led.map(async (name) => {
      const { spec } = await client.get('leases', { namespace: 'kube-system', name });
      return [name, (spec.holderIdentity ?? '').split('_')[0]] as const;
    }),
  );
  return Object.fromEntries(entries);
}
