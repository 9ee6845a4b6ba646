// For tests: checks controllers' requests against the roles of their service accounts in Kubernetes 1.36.

import bootstrap from '../../../facts/bootstrap.json' with { type: 'json' };
import type { Transport } from '../../client/client.ts';
import { nodeCsrApproverRules } from '../certificates/node-csrapproving.ts';
import { hostPathProvisionerRules } from '../volumes/host-path/host-path-provisioner.ts';

interface Rule {
  readonly verbs: string[];
  readonly apiGroups?: string[];
  readonly resources?: string[];
  readonly nonResourceURLs?: string[];
}

interface Role {
  readonly metadata: { readonly name: string };
  readonly rules: Rule[];
}

/** Of controllers that Kubernetes does not have. */
const ownRules: Readonly<Record<string, readonly Rule[]>> = {
  'host-path-provisioner': hostPathProvisionerRules,
  'node-csr-approver': nodeCsrApproverRules,
};

/** Roles in a namespace too: their controllers use no other one. */
const roles = ['clusterroles', 'roles'].flatMap(
  (kind) => (bootstrap.objects as Record<string, unknown>)[`/apis/rbac.authorization.k8s.io/v1/${kind}`] as Role[],
);

function askedBy(method: string, path: string) {
  const parts = path.split('/').slice(1);
  const group = parts[0] === 'apis' ? parts[1] : '';
  let rest = parts.slice(parts[0] === 'apis' ? 3 : 2);
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'finalize' && rest[2] !== 'status')
    rest = rest.slice(2);
  const [plural = '', name, subresource] = rest;
  const verbs: Record<string, string> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: name ? 'delete' : 'deletecollection',
  };
  const resource = subresource ? `${plural}/${subresource}` : plural;
  return { verb: verbs[method] ?? (name ? 'get' : 'list'), group, resource };
}

const has = (list: readonly string[] | undefined, value: string) => list?.includes('*') || list?.includes(value);
// A rule for `*/scale` covers the scale of all resources.
const hasResource = (list: readonly string[] | undefined, resource: string) => {
  const [, subresource] = resource.split('/');
  return has(list, resource) || (subresource !== undefined && list?.includes(`*/${subresource}`));
};
const coversPath = (url: string, path: string) =>
  url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));

/** The transport, which also calls `overreach` for each request outside of the account's role. */
export function guarded(account: string, transport: Transport, overreach: (request: string) => void): Transport {
  const rules: readonly Rule[] = [
    ...roles
      .filter(({ metadata: { name } }) => [`system:controller:${account}`, 'system:discovery'].includes(name))
      .flatMap((role) => role.rules),
    ...(ownRules[account] ?? []),
  ];
  return {
    send(request) {
      const { verb, group, resource } = askedBy(request.method, request.path);
      const allowed = rules.some((rule) =>
        resource
          ? has(rule.verbs, verb) && has(rule.apiGroups, group) && hasResource(rule.resources, resource)
          : rule.nonResourceURLs?.some((url) => coversPath(url, request.path)),
      );
      if (!allowed) overreach(`${account}: ${verb} ${resource || request.path} ${group}`);
      return transport.send(request);
    },
  };
}
