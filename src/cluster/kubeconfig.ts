// Kubeconfig files: the server's address and the client's credentials.

import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { KeyPair } from './certificates/certificates.ts';
import { writeWhole } from './write-whole.ts';

interface KubeconfigInputs {
  /** Name of the cluster, the context and the user's prefix. */
  readonly name: string;
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly user: KeyPair;
  readonly userName: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

function kubeconfig({ name, server, ca, user, userName }: KubeconfigInputs) {
  const owner = `${userName}@${name}`;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      { name: owner, user: { 'client-certificate-data': base64(user.cert), 'client-key-data': base64(user.key) } },
    ],
    contexts: [{ name, context: { cluster: name, user: owner } }],
    'current-context': name,
  };
}

/** Writes the file for its owner's eyes alone. */
export async function writeKubeconfig(file: string, inputs: KubeconfigInputs): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeWhole(file, stringify(kubeconfig(inputs)), 0o600);
}

/**
 * Merges the kubeconfig `from` into an existing one and makes its context current; entries of the same names are
 * replaced, all others stay. Throws if `file` is not a kubeconfig, and leaves it unchanged.
 */
export async function mergeKubeconfig(file: string, from: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const existing = text.trim() ? parse(text) : {};
  if (existing === null || typeof existing !== 'object' || (existing.kind ?? 'Config') !== 'Config')
    throw new Error(`${file} is no kubeconfig: it was left as it is`);
  const ours = parse(await readFile(from, 'utf8'));
  const merged = { ...ours, ...existing, 'current-context': ours['current-context'] };
  for (const list of ['clusters', 'users', 'contexts']) {
    const names = new Set(ours[list].map((entry: { name: string }) => entry.name));
    const kept = (existing[list] ?? []).filter((entry: { name: string }) => !names.has(entry.name));
    merged[list] = [...kept, ...ours[list]];
  }
  await mkdir(path.dirname(file), { recursive: true });
  await writeWhole(file, stringify(merged), 0o600);
}
