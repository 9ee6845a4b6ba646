// The Lease of each API server in kube-system: which servers there are, and since when one is gone.
// https://kubernetes.io/docs/concepts/architecture/leases/#api-server-identity

import { createHash } from 'node:crypto';
import os from 'node:os';
import { ignoreNotFound, isAlreadyExists, type Lease } from '../../api/api.ts';
import { type Client, microTimestamp } from '../../client/client.ts';
import type { Environment } from '../context.ts';

const namespace = 'kube-system';
const leaseSeconds = 3_600;
const renewEveryMs = 10_000;
const jitter = 0.04;
const collectEveryMs = 3_600_000;
const identityLabel = 'apiserver.kubernetes.io/identity';
const component = 'kube-apiserver';
/** A stop does not wait longer for the removal of the Lease. */
const stopMs = 2_000;

type Context = Pick<Environment, 'clock' | 'random' | 'logger'> & { readonly hostname?: string };

interface IdentityLease {
  /** Removes the Lease. */
  stop(): Promise<void>;
}

/** Resolves when the Lease exists; renews it from then on, and removes expired ones of other servers. */
export async function keepIdentityLease(client: Client, context: Context): Promise<IdentityLease> {
  const { clock, random, logger, hostname = os.hostname() } = context;
  const name = serverId(hostname);
  const stopping = new AbortController();
  const { signal } = stopping;
  const warn = (message: string) => (error: unknown) => {
    if (!signal.aborted) logger.warn(message, { lease: name, error: String(error) });
  };
  const remove = () => client.delete('leases', { namespace, name }).catch(ignoreNotFound);
  const holder = `${name}_${random.uuid()}`;
  const renew = () => renewed(client, { name, hostname, holder, now: () => clock.now() });
  // That of an earlier run of this server.
  await remove().catch(warn('lease of an earlier start not removed'));
  await renew().catch(warn('lease not created'));
  const renewing = repeated(
    signal,
    clock,
    () => renewEveryMs * (1 + random.next() * jitter),
    () => renew().catch(warn('lease not renewed')),
  );
  const collect = () => removeExpired(client, clock.now()).catch(warn('expired leases not removed'));
  await collect();
  const collecting = repeated(signal, clock, () => collectEveryMs, collect);
  return {
    async stop() {
      stopping.abort();
      await Promise.all([renewing, collecting]);
      const late = new AbortController();
      await Promise.race([remove().catch(() => {}), clock.sleep(stopMs, late.signal).catch(() => {})]);
      late.abort();
    },
  };
}

async function repeated(
  signal: AbortSignal,
  clock: Context['clock'],
  everyMs: () => number,
  work: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(everyMs(), signal).catch(() => {});
    if (!signal.aborted) await work();
  }
}

interface Own {
  readonly name: string;
  readonly hostname: string;
  readonly holder: string;
  readonly now: () => number;
}

/** Creates it again if it was removed. */
async function renewed(client: Client, { name, hostname, holder, now }: Own): Promise<void> {
  const spec = { holderIdentity: holder, leaseDurationSeconds: leaseSeconds, renewTime: microTimestamp(now()) };
  const live = await client.get('leases', { namespace, name }).catch(ignoreNotFound);
  if (live) return void (await client.update('leases', { ...live, spec: { ...live.spec, ...spec } }));
  const labels = { [identityLabel]: component, 'kubernetes.io/hostname': hostname };
  await client.create('leases', { metadata: { name, namespace, labels }, spec }).catch((error) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

async function removeExpired(client: Client, nowMs: number): Promise<void> {
  const { items } = await client.list('leases', { namespace, labelSelector: `${identityLabel}=${component}` });
  for (const { metadata, spec } of items) {
    if (!hasExpired(spec, nowMs)) continue;
    const { name = '', uid, resourceVersion } = metadata;
    const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    await client.delete('leases', { namespace, name }, { preconditions }).catch(ignoreNotFound);
  }
}

function hasExpired({ renewTime, leaseDurationSeconds }: Lease['spec'] = {}, nowMs: number): boolean {
  if (!renewTime || leaseDurationSeconds === undefined) return true;
  return Date.parse(renewTime) + leaseDurationSeconds * 1_000 < nowMs;
}

/** Kubernetes' identity of an API server: from the host's name and the component's, each with its length before it. */
export function serverId(hostname: string): string {
  const hash = createHash('sha256');
  for (const part of [hostname, component]) {
    const bytes = Buffer.from(part);
    hash.update(Buffer.from([bytes.length >> 8, bytes.length & 0xff])).update(bytes);
  }
  return `apiserver-${base32(hash.digest().subarray(0, 16))}`;
}

/** RFC 4648, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = bits.match(/.{1,5}/g) ?? [];
  return digits.map((digit) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(digit.padEnd(5, '0'), 2)]).join('');
}
