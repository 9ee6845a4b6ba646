import { type CertificateSigningRequest, forbidden } from '../../api/api.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { hasSignerRight, isRequest } from './signer-rights.ts';

/** Approving and denying need the verb `approve` on the request's signer. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificateapproval */
export const certificateApproval: AdmissionPlugin = {
  name: 'CertificateApproval',
  validate(attributes) {
    const { operation, subresource } = attributes;
    if (operation === 'UPDATE' && subresource === 'approval' && isRequest(attributes)) return check(attributes);
  },
};

async function check(attributes: AdmissionAttributes): Promise<void> {
  const { signerName } = (attributes.oldObject as CertificateSigningRequest).spec;
  if (await hasSignerRight(attributes, 'approve', signerName)) return;
  throw forbidden(
    attributes.kind,
    attributes.name,
    `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`,
  );
}
