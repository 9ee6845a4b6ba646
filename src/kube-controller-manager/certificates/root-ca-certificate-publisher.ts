// Publishes the cluster's CA certificate in every namespace, where pods' token volumes take it from.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/

import { isAlreadyExists, isNamespaceTerminating } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';

const name = 'kube-root-ca.crt';
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

/** `rootCa` is a PEM text. */
export const rootCaCertificatePublisher = (rootCa: string): Controller => ({
  name: 'root-ca-certificate-publisher',
  component: 'root-ca-cert-publisher',
  watches: [
    own('namespaces'),
    { resource: 'configmaps', keys: ({ metadata }) => (metadata.name === name ? [metadata.namespace ?? ''] : []) },
  ],
  async reconcile(namespace, { lister, client }) {
    if (lister('namespaces').get(namespace)?.status?.phase !== 'Active') return;
    const data = { 'ca.crt': rootCa };
    const existing = lister('configmaps').get(`${namespace}/${name}`);
    if (!existing) {
      await client.create('configmaps', { metadata: { name, namespace, annotations }, data }).catch((error) => {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      });
      return;
    }
    const same = Object.keys(existing.data ?? {}).length === 1 && existing.data?.['ca.crt'] === rootCa;
    const described = Object.entries(annotations).every(([key, text]) => existing.metadata.annotations?.[key] === text);
    if (same && described) return;
    const metadata = { ...existing.metadata, annotations: { ...existing.metadata.annotations, ...annotations } };
    await client.update('configmaps', { ...existing, metadata, data });
  },
});
