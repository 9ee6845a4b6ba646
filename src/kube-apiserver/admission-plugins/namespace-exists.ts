import { ignoreNotFound, notFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespaceexists */
export const namespaceExists = (client: () => Client): AdmissionPlugin => ({
  name: 'NamespaceExists',
  async validate({ operation, kind, namespace }) {
    if (operation === 'CONNECT' || !namespace || kind.isNamespace) return;
    const found = await client().get('namespaces', { name: namespace }).catch(ignoreNotFound);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  },
});
