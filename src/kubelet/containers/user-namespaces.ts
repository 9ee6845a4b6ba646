// Allocates ids of the machine to pods with a user namespace (spec.hostUsers: false): each pod gets a range that no
// other pod and no user of the machine has. https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import type { SandboxConfig } from '../../container-runtime/container-runtime.ts';
import type { KubeletConfig } from '../config.ts';
import { podDirectories } from '../volumes/volumes.ts';

/** KubeletConfiguration's userNamespaces.idsPerPod; the first range belongs to the machine. */
export const idsPerPod = 65_536;

type UserNamespace = Pick<SandboxConfig, 'userNamespace'>;

/** The pod's range, the same at each call: it is stored in a file of the pod's directory. Throws if all are taken. */
export function userNamespaceOf(
  pod: Pod,
  { rootDirectory, maxPods }: Pick<KubeletConfig, 'rootDirectory' | 'maxPods'>,
): UserNamespace {
  if (pod.spec.hostUsers !== false) return {};
  const directory = podDirectories(rootDirectory, pod.metadata.uid).disk;
  const pods = path.dirname(directory);
  const own = path.join(directory, 'userns');
  if (existsSync(own)) return { userNamespace: { hostId: read(own), length: idsPerPod } };
  const files = existsSync(pods) ? readdirSync(pods).map((uid) => path.join(pods, uid, 'userns')) : [];
  const taken = new Set(files.filter((file) => existsSync(file)).map(read));
  for (let slot = 1; slot <= maxPods; slot++) {
    const hostId = slot * idsPerPod;
    if (taken.has(hostId)) continue;
    write(own, hostId);
    return { userNamespace: { hostId, length: idsPerPod } };
  }
  throw new Error('could not find an empty slot to allocate a user namespace');
}

const read = (file: string): number => JSON.parse(readFileSync(file, 'utf8')).uidMappings[0].hostId;

/** In the form of Kubernetes' kubelet. */
function write(file: string, hostId: number): void {
  const mappings = [{ hostId, containerId: 0, length: idsPerPod }];
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o750 });
  writeFileSync(`${file}.new`, JSON.stringify({ uidMappings: mappings, gidMappings: mappings }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
