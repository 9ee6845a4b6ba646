import { isLocalOnly } from '../addresses/node-addresses.ts';
import type { EtcdMember } from '../etcd-member/etcd-member.ts';
import type { Cluster } from '../start.ts';
import { caHashes } from './ca-hash.ts';
import { ensureCertificateKey, publishKeys } from './control-plane-keys.ts';
import { JoinError } from './join-error.ts';
import { controlPlaneLabel, ensureJoinObjects } from './join-objects.ts';

/** The inputs of a machine that joins, beside its token. */
export interface JoinInformation {
  /** URL of the API server. */
  readonly server: string;
  /** sha256:... */
  readonly caHash: string;
  /** Of a cluster that more servers can join. */
  readonly certificateKey?: string;
}

/** Machines can join from now on. Rejects with JoinError when none can reach the cluster. */
export async function allowJoining({ client, server, config, ca, etcd, directory }: Cluster): Promise<JoinInformation> {
  const { nodeIP, runtime } = config;
  if (!ca || isLocalOnly(nodeIP))
    throw new JoinError(
      `other machines cannot reach ${server}: start the cluster with --node-ip and an address of this machine`,
    );
  if (runtime === 'simulated')
    throw new JoinError('real machines cannot join simulated nodes: their pods have no network');
  await ensureJoinObjects(client, { server, ca, config });
  const [caHash] = caHashes(ca);
  if (!etcd) return { server, caHash };
  await publishKeys(client, directory.pki, etcd.endpoints);
  return { server, caHash, certificateKey: await ensureCertificateKey(directory.pki) };
}

/** Writes the objects by which other machines join, and labels the node of this one. */
export async function publishServer(cluster: Cluster, etcd: EtcdMember): Promise<void> {
  const { client, server, ca, config, directory } = cluster;
  if (!ca) throw new JoinError('a server must listen');
  await ensureJoinObjects(client, { server, ca, config });
  await publishKeys(client, directory.pki, etcd.endpoints);
  for (const name of config.nodeNames)
    await client.patch(
      'nodes',
      { name },
      { type: 'merge', body: { metadata: { labels: { [controlPlaneLabel]: '' } } } },
    );
}
