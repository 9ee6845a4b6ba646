import { forbidden, ignoreNotFound, isAlreadyExists } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespaceautoprovision */
export const namespaceAutoProvision = (client: () => Client): AdmissionPlugin => ({
  name: 'NamespaceAutoProvision',
  async admit({ operation, dryRun, kind, namespace, name }) {
    if (operation !== 'CREATE' || dryRun || !namespace || kind.isNamespace) return;
    if (await client().get('namespaces', { name: namespace }).catch(ignoreNotFound)) return;
    await client()
      .create('namespaces', { metadata: { name: namespace } })
      .catch((error: Error) => {
        if (!isAlreadyExists(error)) throw forbidden(kind, name, error.message);
      });
  },
});
