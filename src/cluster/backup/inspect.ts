// The content of a backup as people and programs want to know it. All of it is read, so all checksums are verified.

import { kubernetesVersion } from '../../api/api.ts';
import {
  type BackupHeader,
  type BackupPart,
  BackupUnusable,
  type Decryption,
  decodeBackup,
  type Unpacked,
  unpack,
} from '../../store/store.ts';
import { resourceFinder } from '../configuration/encryption.ts';
import { version } from '../version.ts';

interface ResourceCount {
  /** Such as deployments.apps. */
  readonly resource: string;
  readonly count: number;
  /** Of the stored values. */
  readonly bytes: number;
}

export interface Inspection extends BackupHeader {
  readonly encryption: Unpacked['encryption'];
  /** Of the backup itself. */
  readonly packedBytes: number;
  readonly objects: number;
  readonly objectBytes: number;
  readonly resources: readonly ResourceCount[];
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** Opens a backup. Throws BackupUnusable: damaged, encrypted, no backup, or from a newer version. */
export async function openBackup(bytes: AsyncIterable<Uint8Array>, decryption: Decryption) {
  const unpacked = await unpack(bytes, decryption);
  const backup = await decodeBackup(unpacked.bytes);
  return { ...backup, encryption: unpacked.encryption };
}

/** Throws BackupUnusable for a backup that a newer version made: it may contain objects that this one cannot read. */
export function refuseFuture({ coracle, kubernetes }: BackupHeader): void {
  if (isNewer(coracle, version, 3) || isNewer(kubernetes, kubernetesVersion.gitVersion, 2))
    throw new BackupUnusable(
      'version',
      `it is from the future: Coracle ${coracle} with Kubernetes ${kubernetes} made it, and this is Coracle ${version} with Kubernetes ${kubernetesVersion.gitVersion}. Use that version, or a newer one`,
    );
}

/** By the first `parts` numbers of both. */
function isNewer(one: string, other: string, parts: number): boolean {
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).slice(0, parts).map(Number);
  const [a, b] = [numbers(one), numbers(other)];
  const different = a.findIndex((number, i) => number !== (b[i] ?? 0));
  return different >= 0 && a[different] > (b[different] ?? 0);
}

export async function inspectBackup(bytes: AsyncIterable<Uint8Array>, decryption: Decryption): Promise<Inspection> {
  let packedBytes = 0;
  const counted = async function* () {
    for await (const chunk of bytes) {
      packedBytes += chunk.length;
      yield chunk;
    }
  };
  const { header, parts, encryption } = await openBackup(counted(), decryption);
  const files: { path: string; bytes: number }[] = [];
  const count = new ResourceCounter();
  for await (const part of parts) {
    if (part.type === 'file') files.push({ path: part.path, bytes: part.content.length });
    count.add(part);
  }
  const { resources } = count;
  const sum = (field: 'count' | 'bytes') => resources.reduce((total, each) => total + each[field], 0);
  return { ...header, encryption, packedBytes, objects: sum('count'), objectBytes: sum('bytes'), resources, files };
}

class ResourceCounter {
  readonly #counts = new Map<string, { count: number; bytes: number }>();
  readonly #nameOf = resourceNames();

  add(part: BackupPart): void {
    if (part.type !== 'entries') return;
    for (const { key, value } of part.entries) {
      const resource = this.#nameOf(key);
      const found = this.#counts.get(resource) ?? { count: 0, bytes: 0 };
      this.#counts.set(resource, { count: found.count + 1, bytes: found.bytes + value.length });
    }
  }

  get resources(): ResourceCount[] {
    return [...this.#counts]
      .map(([resource, counts]) => ({ resource, ...counts }))
      .sort((a, b) => (a.resource < b.resource ? -1 : 1));
  }
}

/** The name of a key's resource with its group, as kubectl prints it; for other keys, their own word. */
export function resourceNames(): (key: string) => string {
  const find = resourceFinder('/registry');
  return (key) => {
    const found = find(key);
    if (!found) return key.split('/')[2] ?? key;
    return found.group ? `${found.resource}.${found.group}` : found.resource;
  };
}
