import type { Cluster } from '../start.ts';
import { caHashes } from './ca-hash.ts';
import { JoinError } from './join-error.ts';
import { ensureJoinObjects } from './join-objects.ts';

/** The inputs of a machine that joins, beside its token. */
export interface JoinInformation {
  /** URL of the API server. */
  readonly server: string;
  /** sha256:... */
  readonly caHash: string;
}

/** Machines can join from now on. Rejects with JoinError when none can reach the cluster. */
export async function allowJoining({ client, server, config, ca }: Cluster): Promise<JoinInformation> {
  const { nodeIP, runtime } = config;
  if (!ca || nodeIP.startsWith('127.'))
    throw new JoinError(
      `other machines cannot reach ${server}: start the cluster with --node-ip and an address of this machine`,
    );
  if (runtime === 'simulated')
    throw new JoinError('real machines cannot join simulated nodes: their pods have no network');
  await ensureJoinObjects(client, { server, ca, config });
  return { server, caHash: caHashes(ca)[0] };
}
