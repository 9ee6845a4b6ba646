import { notFound, type Pod, type TokenRequest, type Volume } from '../../../api/api.ts';
import { decide } from '../../access/authorization.ts';
import type { NodeRequest } from './node-request.ts';
import { absentOr } from './node-request.ts';

/** A node's token must be bound to one of its pods, for an audience that the pod uses. */
export async function admitToken(request: NodeRequest): Promise<void> {
  const { operation, subresource, object, client, namespace, node, refuse } = request;
  if (operation !== 'CREATE' || subresource !== 'token') return;
  const asked = (object as TokenRequest | undefined)?.spec;
  const bound = asked?.boundObjectRef;
  const audiences = asked?.audiences ?? []; // null where the list is empty
  if (bound?.apiVersion !== 'v1' || bound.kind !== 'Pod' || !bound.name)
    throw refuse('node requested token not bound to a pod');
  if (!bound.uid) throw refuse('node requested token with a pod binding without a uid');
  const pod = await absentOr(client.get('pods', { namespace, name: bound.name }));
  if (!pod) throw notFound({ group: '', resource: 'pods' }, bound.name);
  if (bound.uid !== pod.metadata.uid)
    throw refuse(
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec.nodeName !== node) throw refuse('node requested token bound to a pod scheduled on a different node');
  if (audiences.length > 1) throw refuse('node may only request 0 or 1 audiences');
  await checkAudience(request, pod, audiences[0] ?? '');
}

/** https://kubernetes.io/docs/reference/access-authn-authz/node/ (request-serviceaccounts-token-audience) */
async function checkAudience(request: NodeRequest, pod: Pod, audience: string): Promise<void> {
  const { server, user, namespace, name, refuse } = request;
  if (await refersTo(request, pod, audience)) return;
  const { decision } = await decide(server.authorizers, {
    user,
    verb: 'request-serviceaccounts-token-audience',
    group: '',
    version: 'v1',
    resource: audience,
    subresource: '',
    namespace,
    name,
    isResource: true,
    path: '',
    rest: '',
  });
  if (decision === 'allow') return;
  throw refuse(
    `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
  );
}

/** Throws if a volume's driver is not found and no other volume uses the audience. */
async function refersTo(request: NodeRequest, pod: Pod, audience: string): Promise<boolean> {
  const faults: string[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const sources = volume.projected?.sources ?? [];
    if (sources.some((s) => s.serviceAccountToken && (s.serviceAccountToken.audience ?? '') === audience)) return true;
    try {
      if (await driverAsksFor(request, pod, volume, audience)) return true;
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  if (!faults.length) return false;
  const why = faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`;
  throw request.refuse(`error validating audience ${JSON.stringify(audience)}: ${why}`);
}

async function driverAsksFor(request: NodeRequest, pod: Pod, volume: Volume, audience: string): Promise<boolean> {
  const name = await driverOf(request, pod, volume);
  if (!name) return false;
  const driver = await absentOr(request.client.get('csidrivers', { name }));
  if (!driver) throw missing('csidriver.storage.k8s.io', name);
  return driver.spec.tokenRequests?.some((wanted) => wanted.audience === audience) ?? false;
}

/** Drivers that replaced in-tree volume plugins. */
const migrated: Readonly<Record<string, string>> = {
  awsElasticBlockStore: 'ebs.csi.aws.com',
  azureDisk: 'disk.csi.azure.com',
  azureFile: 'file.csi.azure.com',
  cinder: 'cinder.csi.openstack.org',
  gcePersistentDisk: 'pd.csi.storage.gke.io',
  portworxVolume: 'pxd.portworx.com',
  vsphereVolume: 'csi.vsphere.vmware.com',
};

const directDriver = (source: { csi?: { driver: string } }): string | undefined =>
  source.csi?.driver ?? migrated[Object.keys(migrated).find((field) => field in source) ?? ''];

/** The CSI driver that mounts the volume, directly or by its claim. */
async function driverOf({ client, namespace }: NodeRequest, pod: Pod, volume: Volume): Promise<string | undefined> {
  const { persistentVolumeClaim, ephemeral } = volume;
  const name = persistentVolumeClaim?.claimName ?? (ephemeral && `${pod.metadata.name}-${volume.name}`);
  if (!name) return directDriver(volume);
  const claim = await absentOr(client.get('persistentvolumeclaims', { namespace, name }));
  if (!claim) throw missing('persistentvolumeclaim', name);
  const { volumeName = '' } = claim.spec;
  const bound = volumeName ? await absentOr(client.get('persistentvolumes', { name: volumeName })) : undefined;
  if (!bound) throw missing('persistentvolume', volumeName);
  return directDriver(bound.spec);
}

const missing = (kind: string, name: string) => new Error(`${kind} ${JSON.stringify(name)} not found`);
