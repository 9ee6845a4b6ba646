// The command line of an etcd member.

import path from 'node:path';
import type { EtcdMemberOptions } from './interface.ts';
import type { MemberLayout } from './layout.ts';

/** How the member enters its cluster; etcd ignores it once it has data. */
export interface InitialCluster {
  readonly state: 'new' | 'existing';
  /** All members as NAME=PEER-URL, separated by commas. */
  readonly members: string;
  /** Part of the cluster's id: clusters with the same addresses stay distinct. */
  readonly token: string;
}

/** The most that etcd recommends. */
export const defaultQuotaBytes = 8 * 2 ** 30;

export function etcdArguments(
  { name, quotaBytes = defaultQuotaBytes }: Pick<EtcdMemberOptions, 'name' | 'quotaBytes'>,
  { data, pki, clientUrl, peerUrl }: MemberLayout,
  initial: InitialCluster,
): string[] {
  const file = (base: string) => path.join(pki, base);
  const flags = {
    name,
    'data-dir': data,
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': initial.members,
    'initial-cluster-state': initial.state,
    'initial-cluster-token': initial.token,
    'cert-file': file('server.crt'),
    'key-file': file('server.key'),
    'trusted-ca-file': file('ca.crt'),
    'client-cert-auth': true,
    'peer-cert-file': file('peer.crt'),
    'peer-key-file': file('peer.key'),
    'peer-trusted-ca-file': file('ca.crt'),
    'peer-client-cert-auth': true,
    // A dead leader is replaced within a second; a member that was paused or cut off does not disturb the leader.
    'heartbeat-interval': 50,
    'election-timeout': 500,
    'pre-vote': true,
    // The API servers compact.
    'auto-compaction-retention': 0,
    'quota-backend-bytes': quotaBytes,
    // Entries kept in memory; etcd 3.4's 100,000 take hundreds of megabytes.
    'snapshot-count': 10_000,
    logger: 'zap',
    'log-outputs': 'stderr',
    'log-level': 'warn',
  };
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}
