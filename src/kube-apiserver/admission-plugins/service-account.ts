import {
  type Container,
  forbidden,
  ignoreNotFound,
  type Pod,
  type ServiceAccount,
  secretsOf,
  type Volume,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { pathSegmentFaults } from '../../machinery/text/names.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { containerFault, enforcesSecrets, secretFault } from './mountable-secrets.ts';

const tokenDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirrorAnnotation = 'kubernetes.io/config.mirror';
/** A little more than an hour: clients that renew by the hour never have an old one. */
const tokenSeconds = 3607;

/**
 * Gives pods their service account, its pull secrets and its token, and holds them to the secrets they may use.
 * `mayMiss`: a pod that names no account stays as it is where there is no `default` one.
 */
export const serviceAccount = (client: () => Client, mayMiss = false): AdmissionPlugin => ({
  name: 'ServiceAccount',
  async admit(attributes) {
    const { operation, kind, subresource, object, server } = attributes;
    if (operation !== 'CREATE' || kind.kind !== 'Pod' || kind.group !== '' || subresource || !object) return;
    const pod = object as Pod;
    if (isMirror(pod)) return checkMirror(attributes, pod);
    const { spec } = pod;
    const name = spec.serviceAccountName || 'default';
    const account = await accountOf(attributes, name, client(), mayMiss && !spec.serviceAccountName);
    if (!account) return;
    spec.serviceAccountName = name;
    (spec as { serviceAccount?: string }).serviceAccount = name;
    if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
      spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
    if (mounts(pod, account)) mountToken(pod, server.random.suffix(5));
  },
  /** Once more behind all that changes pods. */
  validate(attributes) {
    const { operation, kind, subresource, object } = attributes;
    if (kind.kind !== 'Pod' || kind.group !== '' || !object) return;
    const pod = object as Pod;
    if (operation === 'UPDATE' && subresource === 'ephemeralcontainers')
      return checkSecrets(attributes, pod, client(), mayMiss, (account) =>
        containerFault('ephemeral container', pod.spec.ephemeralContainers, account),
      );
    if (operation !== 'CREATE' || subresource) return;
    if (isMirror(pod)) return checkMirror(attributes, pod);
    return checkSecrets(attributes, pod, client(), mayMiss, (account) => secretFault(pod, account));
  },
});

const isMirror = ({ metadata }: Pod) => metadata.annotations?.[mirrorAnnotation] !== undefined;

/** A mirror pod represents a static pod of the kubelet, which cannot use API objects. */
function checkMirror({ kind, name }: AdmissionAttributes, pod: Pod): void {
  const { spec } = pod;
  const refuse = (why: string) => forbidden(kind, name, `a mirror pod may not ${why}`);
  if (spec.serviceAccountName) throw refuse('reference service accounts');
  if (!secretsOf(pod).next().done) throw refuse('reference secrets');
  if (spec.volumes?.some(({ projected }) => projected?.sources?.some((source) => source.serviceAccountToken)))
    throw refuse('use ServiceAccountToken volume projections');
}

/** A new namespace gets its `default` account from a controller: it is waited for. */
const triesOfDefault = 10;

async function accountOf(
  { kind, name, namespace, server: { clock, random } }: AdmissionAttributes,
  account: string,
  client: Client,
  mayMiss: boolean,
): Promise<ServiceAccount | undefined> {
  const tries = account === 'default' && !mayMiss ? triesOfDefault : 1;
  const waitMs = 100 + random.int(100);
  for (let tried = 1; tried <= tries; tried++) {
    const found = await client.get('serviceaccounts', { namespace, name: account }).catch(ignoreNotFound);
    if (found || mayMiss) return found;
    if (tried < tries) await clock.sleep(waitMs);
  }
  const [fault] = pathSegmentFaults(account);
  const cause = fault ? `invalid resource name "${account}": [${fault}]` : `serviceaccount "${account}" not found`;
  const why = `error looking up service account ${namespace}/${account}: ${cause}`;
  throw forbidden(kind, name, why);
}

/** https://kubernetes.io/docs/concepts/security/service-accounts/#enforce-mountable-secrets */
async function checkSecrets(
  attributes: AdmissionAttributes,
  pod: Pod,
  client: Client,
  mayMiss: boolean,
  faultOf: (account: ServiceAccount) => string | undefined,
): Promise<void> {
  const { kind, name, namespace } = attributes;
  const { serviceAccountName } = pod.spec;
  if (!serviceAccountName) {
    if (mayMiss) return;
    throw forbidden(kind, name, `no service account specified for pod ${namespace}/${pod.metadata.name ?? ''}`);
  }
  const account = await accountOf(attributes, serviceAccountName, client, false);
  const fault = account && enforcesSecrets(account) ? faultOf(account) : undefined;
  if (fault) throw forbidden(attributes.kind, attributes.name, fault);
}

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
