// The certificates of a data directory, for `coracle certificates`.

import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DataDirectory } from '../data-directory.ts';
import { readCertificate } from './read-certificate.ts';

export interface CertificateFile {
  /** Relative to the data directory. */
  readonly file: string;
  /** Such as O=system:nodes, CN=system:node:a. */
  readonly subject: string;
  readonly isAuthority: boolean;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const places = ['pki', 'pki/node', 'etcd/pki'];
const endings = ['.crt', '.pem'];

/** In the order of their names. Files without a certificate are left out. */
export async function listCertificates({ root }: Pick<DataDirectory, 'root'>): Promise<CertificateFile[]> {
  const found: CertificateFile[] = [];
  for (const place of places)
    for (const name of (await readdir(path.join(root, place)).catch(() => [])).sort()) {
      if (!endings.includes(path.extname(name))) continue;
      const file = path.join(place, name);
      const certificate = readCertificate(await readFile(path.join(root, file), 'utf8').catch(() => ''));
      if (certificate)
        found.push({
          file,
          subject: certificate.subject.split('\n').join(', '),
          isAuthority: certificate.ca,
          notBefore: Date.parse(certificate.validFrom),
          notAfter: Date.parse(certificate.validTo),
        });
    }
  return found;
}

/** Certificates that this directory's process makes again when they are missing, with new keys, as kubeadm does. */
const isRenewable = ({ isAuthority }: CertificateFile): boolean => !isAuthority;

/**
 * Removes certificates, so that the next check makes new ones. Resolves with all that are due then: a running etcd
 * needs its files, and its supervisor replaces them.
 */
export async function discardCertificates(
  directory: Pick<DataDirectory, 'root'>,
  { isRunning }: { readonly isRunning: boolean },
): Promise<string[]> {
  const files = (await listCertificates(directory)).filter(isRenewable).map(({ file }) => file);
  for (const file of files)
    if (!isRunning || !file.startsWith('etcd/')) await rm(path.join(directory.root, file), { force: true });
  return files;
}
