// The API users of the cluster's parts.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles

import { userOfNode } from '../api/api.ts';

/** Name and groups of a user. */
export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
}

const authenticated = (name: string, ...groups: string[]): Identity => ({
  name,
  groups: [...groups, 'system:authenticated'],
});

export const identities = {
  admin: authenticated('kubernetes-admin', 'system:masters'),
  apiServer: authenticated('system:apiserver', 'system:masters'),
  controllerManager: authenticated('system:kube-controller-manager'),
  cloudControllerManager: authenticated('system:cloud-controller-manager'),
  scheduler: authenticated('system:kube-scheduler'),
  // Users and not service accounts: the right to make service accounts must not give their rights.
  metricsServer: authenticated('coracle:metrics-server'),
  proxy: authenticated('system:kube-proxy'),
  networkPolicy: authenticated('coracle:network-policy'),
  kubelet: (node: string) => authenticated(userOfNode(node), 'system:nodes'),
  serviceAccount,
} as const;

function serviceAccount(namespace: string, name: string): Identity {
  return authenticated(
    `system:serviceaccount:${namespace}:${name}`,
    'system:serviceaccounts',
    `system:serviceaccounts:${namespace}`,
  );
}
