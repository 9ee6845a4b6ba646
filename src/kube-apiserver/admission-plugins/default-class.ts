import {
  type ApiObject,
  defaultStorageClassAmong,
  forbidden,
  type Ingress,
  namesStorageClass,
  type PersistentVolumeClaim,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

const newestFirst = (a: ApiObject, b: ApiObject): number => {
  const [then, now] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return then === now ? ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1) : then < now ? 1 : -1;
};

const isDefault = ({ metadata }: ApiObject) =>
  metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';

/** A claim that names no class gets the default one, the newest of several. https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass */
export const defaultStorageClass = (client: () => Client): AdmissionPlugin => ({
  name: 'DefaultStorageClass',
  async admit({ kind, operation, subresource, object }) {
    if (kind.group !== '' || kind.kind !== 'PersistentVolumeClaim' || subresource || operation !== 'CREATE') return;
    const claim = object as PersistentVolumeClaim;
    if (namesStorageClass(claim)) return;
    const { items } = await client().list('storageclasses');
    const found = defaultStorageClassAmong(items);
    if (found) claim.spec.storageClassName = found.metadata.name;
  },
});

/** The same for ingresses. https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class */
export const defaultIngressClass = (client: () => Client): AdmissionPlugin => ({
  name: 'DefaultIngressClass',
  async admit({ kind, operation, subresource, name, object }) {
    if (kind.group !== 'networking.k8s.io' || kind.kind !== 'Ingress' || subresource || operation !== 'CREATE') return;
    const { metadata, spec } = object as Ingress;
    if (spec?.ingressClassName !== undefined || metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined)
      return;
    const { items } = await client().list('ingressclasses');
    const [found] = items.filter(isDefault).sort(newestFirst);
    if (!found) return;
    if (!spec) throw forbidden(kind, name, 'ingress has no spec');
    spec.ingressClassName = found.metadata.name;
  },
});
