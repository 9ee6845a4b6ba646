// The authorities and header names that extension API servers read. Several API servers add to one ConfigMap, so that
// each of them is trusted while they change their files one after another.
// https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/

import { isAlreadyExists, isConflict, isNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { type FrontProxy, requestHeaderNames } from '../../kube-apiserver/kube-apiserver.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { readCertificate } from '../certificates/read-certificate.ts';
import type { BootstrapInputs } from './extra-objects.ts';

type Data = Readonly<Record<string, string>>;

const key = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
const attempts = 3;
/** Clocks may differ by this much. */
const toleranceMs = 5 * 60_000;

/** Adds this server's authorities, and removes expired ones. */
export async function ensureAuthenticationInfo(client: Client, { clientCA, frontProxy, clock }: BootstrapInputs) {
  const own = { ...(clientCA && { 'client-ca-file': clientCA }), ...(frontProxy && frontProxyData(frontProxy)) };
  for (let attempt = 1; ; attempt++)
    try {
      return await ensureOnce(client, own, clock.now());
    } catch (error) {
      // Another API server was faster.
      if (attempt === attempts || !(isConflict(error) || isAlreadyExists(error))) throw error;
    }
}

async function ensureOnce(client: Client, own: Data, nowMs: number): Promise<void> {
  const existing = await client.get('configmaps', key).catch((error) => {
    if (!isNotFound(error)) throw error;
  });
  const data = combined(existing?.data ?? {}, own, nowMs);
  if (!existing) {
    await client.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data });
    return;
  }
  if (!deepEqual(data, existing.data ?? {})) await client.update('configmaps', { ...existing, data });
}

const frontProxyData = ({ ca, allowedNames, headers = requestHeaderNames }: FrontProxy): Data => ({
  'requestheader-allowed-names': JSON.stringify(allowedNames),
  'requestheader-client-ca-file': ca,
  'requestheader-extra-headers-prefix': JSON.stringify(headers.extraPrefix),
  'requestheader-group-headers': JSON.stringify(headers.group),
  'requestheader-uid-headers': JSON.stringify(headers.uid),
  'requestheader-username-headers': JSON.stringify(headers.username),
});

/** Entries of the ConfigMap that cannot be read are replaced. */
export function combined(existing: Data, own: Data, nowMs: number): Data {
  const result: Record<string, string> = { ...existing };
  for (const [name, value] of Object.entries(own))
    result[name] = name.endsWith('-ca-file')
      ? combinedBundles(existing[name] ?? '', value, nowMs)
      : combinedLists(existing[name], value);
  return result;
}

/** One certificate a block, without repeated and expired ones. */
function combinedBundles(existing: string, own: string, nowMs: number): string {
  const blocks = new Map<string, string>();
  for (const pem of `${existing}\n${own}`.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ??
    []) {
    const certificate = readCertificate(pem);
    if (certificate && Date.parse(certificate.validTo) > nowMs - toleranceMs)
      blocks.set(certificate.fingerprint256, certificate.toString());
  }
  return [...blocks.values()].join('');
}

function combinedLists(existing: string | undefined, own: string): string {
  return JSON.stringify([...new Set([...namesIn(existing), ...namesIn(own)])]);
}

function namesIn(list = '[]'): string[] {
  try {
    const names: unknown = JSON.parse(list);
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
