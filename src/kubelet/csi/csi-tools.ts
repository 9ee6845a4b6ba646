// Dependencies that the operations on CSI volumes share.

import type { CSIDriver, Node, Pod, Secret } from '../../api/api.ts';
import type { Client, EventRecorder } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { PodToken } from '../volumes/tokens.ts';
import type { CsiPaths } from './csi-volume.ts';
import type { CsiDrivers } from './drivers.ts';
import type { CsiRecords } from './records.ts';
import type { Turns } from './turns.ts';

export interface CsiTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly nodeName: string;
  readonly paths: CsiPaths;
  readonly drivers: CsiDrivers;
  readonly records: CsiRecords;
  readonly turns: Turns;
  /** Resolves when `driverObject` has the drivers of the API. */
  readonly synced: Promise<void>;
  /** The driver's object in the API. */
  driverObject(name: string): CSIDriver | undefined;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  token(pod: Pod, audience: string, expirationSeconds: number | undefined): Promise<PodToken>;
  /** As the API had it last. */
  node(): Node | undefined;
  /** Reports node.status now. */
  reportNode(): Promise<void>;
}

/** A text as Kubernetes' plugin writes it. */
export const csiError = (text: string): Error => new Error(`kubernetes.io/csi: ${text}`);

interface SecretReference {
  readonly name?: string;
  readonly namespace?: string;
}

/** The values of a secret, as drivers get them. */
export async function secretValues(
  { secret }: Pick<CsiTools, 'secret'>,
  field: string,
  { name = '', namespace = '' }: SecretReference,
): Promise<Record<string, string>> {
  const fail = (why: string): never => {
    throw new Error(
      `fetching ${field} ${namespace}/${name} failed: kubernetes.io/csi: failed to find the secret ${name} in the namespace ${namespace} with error: ${why}`,
    );
  };
  const found = await secret(namespace, name).catch((error: Error) => fail(error.message));
  if (!found) return fail(`secrets ${JSON.stringify(name)} not found`);
  const values = Object.entries(found.data ?? {}).map(([key, value]) => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  return Object.fromEntries(values);
}
