import { type CertificateSigningRequest, forbidden } from '../../api/api.ts';
import { parseCertificateRequest } from '../../machinery/certificates/certificate-request.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { isRequest } from './signer-rights.ts';

const signer = 'kubernetes.io/kube-apiserver-client';

/** No client certificate for superusers. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificatesubjectrestriction */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  validate(attributes) {
    const { operation, subresource, kind, name, object } = attributes;
    if (operation !== 'CREATE' || subresource || !isRequest(attributes)) return;
    const { signerName, request } = (object as CertificateSigningRequest).spec;
    if (signerName !== signer) return;
    const { organizations } = parseCertificateRequest(atob(request)); // validated before
    if (organizations.includes('system:masters'))
      throw forbidden(kind, name, `use of ${signer} signer with system:masters group is not allowed`);
  },
};
