// Gives every namespace its "default" ServiceAccount.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-controller

import { isAlreadyExists, isNamespaceTerminating } from '../api/api.ts';
import { type Controller, own } from '../client/client.ts';

export const serviceaccount: Controller = {
  name: 'serviceaccount',
  component: 'service-account-controller',
  watches: [own('namespaces'), { resource: 'serviceaccounts', keys: ({ metadata }) => [metadata.namespace ?? ''] }],
  async reconcile(namespace, { lister, client }) {
    if (lister('namespaces').get(namespace)?.status?.phase !== 'Active') return;
    if (lister('serviceaccounts').get(`${namespace}/default`)) return;
    await client.create('serviceaccounts', { metadata: { name: 'default', namespace } }).catch((error) => {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    });
  },
};
