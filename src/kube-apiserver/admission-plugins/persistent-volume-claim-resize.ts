import { forbidden, ignoreNotFound, type PersistentVolumeClaim } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { compareQuantities } from '../../machinery/quantity.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { isAbout } from './subject.ts';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#persistentvolumeclaimresize */
export const persistentVolumeClaimResize = (client: () => Client): AdmissionPlugin => ({
  name: 'PersistentVolumeClaimResize',
  validate(attributes) {
    if (attributes.operation !== 'UPDATE' || !isAbout(attributes, '', 'persistentvolumeclaims')) return;
    const [next, old] = [attributes.object, attributes.oldObject] as PersistentVolumeClaim[];
    if (compareQuantities(sizeOf(next), sizeOf(old)) > 0) return checkGrowth(attributes, next, old, client());
  },
});

const sizeOf = ({ spec }: PersistentVolumeClaim): string => spec?.resources?.requests?.storage ?? '0';

async function checkGrowth(
  { kind, name }: AdmissionAttributes,
  next: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
  client: Client,
): Promise<void> {
  if (old.status?.phase !== 'Bound') throw forbidden(kind, name, 'Only bound persistent volume claims can be expanded');
  const [className, before] = [classOf(next), classOf(old)];
  const found =
    className && className === before
      ? await client.get('storageclasses', { name: className }).catch(ignoreNotFound)
      : undefined;
  if (!found?.allowVolumeExpansion)
    throw forbidden(
      kind,
      name,
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    );
}

const classOf = ({ metadata, spec }: PersistentVolumeClaim): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '';
