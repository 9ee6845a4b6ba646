import { decide } from '../access/authorization.ts';
import type { AdmissionAttributes } from '../admission.ts';

/** Whether the user has the verb on this signer, or on all signers of its domain. */
export async function hasSignerRight(
  { server, user }: AdmissionAttributes,
  verb: 'approve' | 'sign',
  signer: string,
): Promise<boolean> {
  for (const name of [signer, `${signer.split('/')[0]}/*`]) {
    const { decision } = await decide(server.authorizers, {
      user,
      verb,
      name,
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      isResource: true,
      path: '',
      rest: '',
    });
    if (decision === 'allow') return true;
  }
  return false;
}

export const isRequest = ({ kind }: AdmissionAttributes): boolean =>
  kind.group === 'certificates.k8s.io' && kind.resource === 'certificatesigningrequests';
