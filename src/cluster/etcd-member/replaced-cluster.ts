// After a restore, the first server has a new etcd cluster with the same keys and addresses. The members of the former
// one must not go on as a second cluster.

import type { EtcdCluster } from '../../store/store.ts';
import { EtcdMemberError } from './interface.ts';
import type { MemberState } from './member-state.ts';

/** The error if one of `others` is a member of another cluster than this one; undefined also while none answers. */
export async function replacedBy(
  cluster: EtcdCluster,
  { clusterId, others }: Pick<MemberState, 'clusterId' | 'others'>,
): Promise<EtcdMemberError | undefined> {
  if (clusterId === undefined) return undefined;
  const clusterIdAt = (url: string) =>
    cluster.status(url).then(
      (status) => status.clusterId,
      () => undefined,
    );
  const ids = await Promise.all(others.map(clusterIdAt));
  const at = ids.findIndex((id) => id !== undefined && id !== clusterId);
  if (at < 0) return undefined;
  return new EtcdMemberError(
    `${others[at]} has a newer etcd cluster, which a restore began, and this machine is a member of the former one: this server stops, and its containers keep running. Run "coracle down --delete" here; then the machine can join again`,
  );
}
