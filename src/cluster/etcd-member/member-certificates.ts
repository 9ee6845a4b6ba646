// The certificates of an etcd member. etcd reads the files for each connection, so a renewal needs no restart.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CertificateRequest, ensureCertificate, type KeyPair } from '../certificates/certificates.ts';
import { writeWhole } from '../write-whole.ts';

/** Makes absent and expiring certificates. Returns that of the API server, the client. */
export async function ensureMemberCertificates(
  directory: string,
  ca: KeyPair,
  { name, address }: { readonly name: string; readonly address: string },
  nowMs: number,
): Promise<KeyPair> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(path.join(directory, 'ca.crt'), ca.cert);
  const hosts = [...new Set([address, '127.0.0.1', '::1', 'localhost'])];
  const requests: readonly CertificateRequest[] = [
    // etcd's gateway calls the member itself with it as a client.
    { name: 'server', commonName: name, usage: 'both', hosts },
    { name: 'peer', commonName: name, usage: 'both', hosts },
    { name: 'client', commonName: 'kube-apiserver-etcd-client', usage: 'client' },
  ];
  const pairs = await Promise.all(requests.map((request) => ensureCertificate(directory, ca, request, nowMs)));
  return pairs[2];
}

/** The next check makes new ones. */
export async function discardMemberCertificates(directory: string): Promise<void> {
  for (const name of ['server', 'peer', 'client']) await rm(path.join(directory, `${name}.crt`), { force: true });
}
