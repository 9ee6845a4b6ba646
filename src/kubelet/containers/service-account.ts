// The mount of a pod's service account, which admission adds to each container.
// https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken

import type { Pod, VolumeMount } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';

const directory = '/var/run/secrets/kubernetes.io/serviceaccount';

const content = [
  { serviceAccountToken: { path: 'token' } },
  { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
];

/**
 * Whether it mounts the whole volume of admission at its place. Admission leaves a mount of the pod's author there, and
 * takes a volume of the author's that has the right name: so the content decides.
 */
export function isAccountMount({ spec }: Pod, { name, mountPath, subPath, subPathExpr }: VolumeMount): boolean {
  if (mountPath !== directory || subPath || subPathExpr) return false;
  const [first, ...others] = spec.volumes?.find((volume) => volume.name === name)?.projected?.sources ?? [];
  if (!first?.serviceAccountToken) return false;
  const { expirationSeconds: _, ...token } = first.serviceAccountToken;
  return deepEqual([{ ...first, serviceAccountToken: token }, ...others], content);
}
