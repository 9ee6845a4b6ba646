import { RuntimeError } from '../runtime-error.ts';
import type { Descriptor } from './image-store.ts';

/** Node's names of architectures that differ from Go's, which images use. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', loong64: 'loong64' };

export const architecture = architectures[process.arch] ?? process.arch;

/** An OCI image index or Docker manifest list. */
export function isIndex(document: unknown): document is { manifests: readonly Descriptor[] } {
  return Array.isArray((document as { manifests?: unknown })?.manifests);
}

/** The manifest for this machine. Throws RuntimeError('image') when there is none. */
export function choosePlatform(manifests: readonly Descriptor[], name: string): Descriptor {
  const fitting = manifests.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture);
  const only = manifests.length === 1 && !manifests[0].platform ? manifests[0] : undefined;
  const found = fitting ?? only;
  if (found) return found;
  throw new RuntimeError('image', `no match for platform in manifest: ${name} has no image for linux/${architecture}`);
}
