import { forbidden, ignoreNotFound, notFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

/** Namespaces that cannot be deleted. */
const immortal = ['default', 'kube-system', 'kube-public'];

/** Reviews are questions: they are answered in any namespace. */
const isReview = (resource: string) => resource === 'localsubjectaccessreviews';

/** Rejects new objects in missing and terminating namespaces. */
export const namespaceLifecycle = (client: () => Client): AdmissionPlugin => ({
  name: 'NamespaceLifecycle',
  async admit({ operation, kind, namespace, name, resource }: AdmissionAttributes) {
    if (kind.group === '' && kind.kind === 'Namespace') {
      if (operation === 'DELETE' && immortal.includes(name))
        throw forbidden({ group: '', resource: 'namespaces' }, name, 'this namespace may not be deleted');
      return;
    }
    if (operation !== 'CREATE' || !namespace || isReview(resource)) return;
    const found = await client().get('namespaces', { name: namespace }).catch(ignoreNotFound);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    if (found.status?.phase !== 'Terminating' && !found.metadata.deletionTimestamp) return;
    const error = forbidden(
      kind,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
    const cause = {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    };
    Object.assign(error.status.details ?? {}, { causes: [cause] });
    throw error;
  },
});
