import { type Container, forbidden, isNotFound, type Pod, type ServiceAccount, type Volume } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

const tokenDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirrorAnnotation = 'kubernetes.io/config.mirror';
/** A little more than an hour: clients that renew by the hour never have an old one. */
const tokenSeconds = 3607;

/** Gives pods their service account, its pull secrets and its token. */
export const serviceAccount = (client: () => Client): AdmissionPlugin => ({
  name: 'ServiceAccount',
  async admit({ operation, kind, subresource, namespace, name, object, server }) {
    if (operation !== 'CREATE' || kind.kind !== 'Pod' || kind.group !== '' || subresource || !object) return;
    const pod = object as Pod;
    if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return;
    const { spec } = pod;
    spec.serviceAccountName ||= 'default';
    (spec as { serviceAccount?: string }).serviceAccount = spec.serviceAccountName;
    const account = await client()
      .get('serviceaccounts', { namespace, name: spec.serviceAccountName })
      .catch((error) => (isNotFound(error) ? undefined : Promise.reject(error)));
    if (!account) {
      const why = `error looking up service account ${namespace}/${spec.serviceAccountName}: serviceaccount "${spec.serviceAccountName}" not found`;
      throw forbidden(kind, name, why);
    }
    if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
      spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
    if (mounts(pod, account)) mountToken(pod, server.random.suffix(5));
  },
});

const mounts = (pod: Pod, account: ServiceAccount) =>
  pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;

function mountToken({ spec }: Pod, suffix: string): void {
  const wants = (c: Container) => !c.volumeMounts?.some((m) => m.mountPath === tokenDirectory);
  const containers = [...(spec.initContainers ?? []), ...spec.containers].filter(wants);
  if (containers.length === 0) return;
  const volume =
    spec.volumes?.find((v) => v.name.startsWith('kube-api-access-')) ?? tokenVolume(`kube-api-access-${suffix}`);
  if (!spec.volumes?.includes(volume)) spec.volumes = [...(spec.volumes ?? []), volume];
  for (const container of containers)
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name: volume.name, readOnly: true, mountPath: tokenDirectory },
    ];
}

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
    defaultMode: 0o644,
  },
});
