import { forbidden, type Service } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { isAbout } from './subject.ts';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#denyserviceexternalips */
export const denyServiceExternalIPs: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  validate(attributes) {
    const { operation, object, oldObject, kind, name } = attributes;
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || !isAbout(attributes, '', 'services')) return;
    const before = (oldObject as Service | undefined)?.spec?.externalIPs ?? [];
    const added = ((object as Service).spec?.externalIPs ?? []).filter((ip) => !before.includes(ip));
    if (added.length) throw forbidden(kind, name, 'Use of external IPs is denied by admission control');
  },
};
