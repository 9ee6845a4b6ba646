// The keys of a control plane, for machines that join it: one Secret, encrypted with a key that is on the servers and in
// the join command only, as kubeadm's --upload-certs does it. A reader of secrets, or of a backup, gets no authority.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ignoreNotFound, isAlreadyExists } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { fieldsIn } from '../../machinery/parsed.ts';
import { writeWhole } from '../write-whole.ts';
import { JoinError } from './join-error.ts';
import { isCertificateKey } from './join-values.ts';

export const keysName = { namespace: 'kube-system', name: 'coracle-control-plane' } as const;

/** Below the directory `pki`. Files that a cluster does not have are left out. */
const shared = [
  ...['ca.crt', 'ca.key', 'sa.key', 'front-proxy-ca.crt', 'front-proxy-ca.key'],
  ...['etcd-ca.crt', 'etcd-ca.key', 'encryption.yaml'],
];
const keyFile = 'control-plane.key';
const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** This cluster's certificate key, from `pki` or new. */
export async function ensureCertificateKey(pki: string): Promise<string> {
  const file = path.join(pki, keyFile);
  const existing = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (isCertificateKey(existing)) return existing;
  const key = randomBytes(32).toString('hex');
  await mkdir(pki, { recursive: true, mode: 0o700 });
  await writeWhole(file, `${key}\n`, 0o600);
  return key;
}

/** Writes the Secret, unless it has the same keys. `endpoints` are the client URLs of etcd. */
export async function publishKeys(client: Client, pki: string, endpoints: readonly string[]): Promise<void> {
  const key = await ensureCertificateKey(pki);
  const files: Record<string, string> = {};
  for (const name of shared) {
    const text = await readFile(path.join(pki, name), 'utf8').catch(() => undefined);
    if (text !== undefined) files[name] = text;
  }
  const current = await client.get('secrets', keysName).catch(ignoreNotFound);
  const old = current && open(String(current.data?.['keys'] ?? ''), key);
  const isSame = old !== undefined && JSON.stringify(old) === JSON.stringify(files);
  const data = {
    keys: isSame ? current?.data?.['keys'] : seal(files, key),
    endpoints: Buffer.from(endpoints.join(',')).toString('base64'),
  } as Record<string, string>;
  if (isSame && current?.data?.['endpoints'] === data['endpoints']) return;
  if (current) await client.update('secrets', { ...current, data });
  else
    await client.create('secrets', { metadata: keysName, type: 'Opaque', data }).catch((error) => {
      if (!isAlreadyExists(error)) throw error; // another server was faster
    });
}

/** Reads the Secret, and writes the keys into `pki`. Resolves with the client URLs of etcd. Rejects with JoinError. */
export async function fetchKeys(client: Client, pki: string, key: string): Promise<readonly string[]> {
  const secret = await client.get('secrets', keysName).catch((error) => {
    throw new JoinError(
      `the token does not admit to the control plane (${(error as Error).message}): create one there with "coracle token create --server"`,
    );
  });
  const files = open(String(secret.data?.['keys'] ?? ''), key);
  if (!files)
    throw new JoinError('the --certificate-key is not that of this cluster: "coracle token create --server" prints it');
  await mkdir(pki, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(files))
    if (shared.includes(name))
      await writeWhole(path.join(pki, name), String(text), name.endsWith('.crt') ? 0o644 : 0o600);
  await writeWhole(path.join(pki, keyFile), `${key}\n`, 0o600);
  return Buffer.from(String(secret.data?.['endpoints'] ?? ''), 'base64')
    .toString()
    .split(',')
    .filter(Boolean);
}

/** Base64 of nonce, tag and ciphertext. */
function seal(files: Readonly<Record<string, string>>, key: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, Buffer.from(key, 'hex'), nonce);
  const text = Buffer.concat([cipher.update(JSON.stringify(files), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

/** Undefined for another key, and for bytes that were changed. */
function open(sealed: string, key: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const decipher = createDecipheriv(algorithm, Buffer.from(key, 'hex'), bytes.subarray(0, nonceBytes));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
    return fieldsIn(JSON.parse(text.toString('utf8')));
  } catch {
    return undefined;
  }
}
