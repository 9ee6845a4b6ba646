import { type CertificateSigningRequest, forbidden } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { hasSignerRight, isRequest } from './signer-rights.ts';

/** Certificates and conditions need the verb `sign` on the request's signer. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificatesigning */
export const certificateSigning: AdmissionPlugin = {
  name: 'CertificateSigning',
  validate(attributes) {
    const { operation, subresource } = attributes;
    if (operation === 'UPDATE' && subresource === 'status' && isRequest(attributes)) return check(attributes);
  },
};

async function check(attributes: AdmissionAttributes): Promise<void> {
  const [next, old] = [attributes.object, attributes.oldObject] as CertificateSigningRequest[];
  const written = ({ status }: CertificateSigningRequest) => [status?.certificate ?? '', status?.conditions ?? []];
  if (deepEqual(written(next), written(old))) return;
  const { signerName } = old.spec;
  if (await hasSignerRight(attributes, 'sign', signerName)) return;
  throw forbidden(
    attributes.kind,
    attributes.name,
    `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`,
  );
}
