// What kubelets may do: their own node, its pods, and what those pods refer to.
// https://kubernetes.io/docs/reference/access-authn-authz/node/

import type { Pod, PolicyRule } from '../../api/api.ts';
import type { Informer } from '../../client/client.ts';
import type { Attributes, Authorizer, Decision } from '../authorization.ts';
import type { UserInfo } from '../request.ts';
import { allows } from './rbac.ts';

const prefix = 'system:node:';

/** The node that a user is, undefined for everybody else. */
export function nodeOf({ name, groups }: UserInfo): string | undefined {
  return name.startsWith(prefix) && groups.includes('system:nodes') ? name.slice(prefix.length) : undefined;
}

const rule = (group: string, resources: string[], verbs: string[]): PolicyRule => ({
  apiGroups: [group],
  resources,
  verbs,
});

/** What every node may do without a look at the object. */
const rules: readonly PolicyRule[] = [
  rule('authentication.k8s.io', ['tokenreviews'], ['create']),
  rule('authorization.k8s.io', ['subjectaccessreviews', 'localsubjectaccessreviews'], ['create']),
  rule('', ['services'], ['get', 'list', 'watch']),
  rule('', ['nodes'], ['create', 'update', 'patch']), // which one it may change: NodeRestriction
  rule('', ['nodes/status'], ['update', 'patch']),
  rule('', ['events'], ['create', 'update', 'patch']),
  rule('', ['pods'], ['create', 'delete']),
  rule('', ['pods/status'], ['update', 'patch']),
  rule('', ['pods/eviction'], ['create']),
  rule('certificates.k8s.io', ['certificatesigningrequests'], ['create', 'get', 'list', 'watch']),
  rule('node.k8s.io', ['runtimeclasses'], ['get', 'list', 'watch']),
  rule('storage.k8s.io', ['csidrivers'], ['get', 'list', 'watch']),
];

const podsOfNode = 'node';
const no = (reason?: string): Decision => ({ decision: 'no-opinion', ...(reason && { reason }) });
const yes: Decision = { decision: 'allow' };

export function nodeAuthorizer(pods: Informer<Pod>): Authorizer {
  pods.addIndex(podsOfNode, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));

  const related = (node: string, { namespace, name }: Attributes, refers: (pod: Pod) => boolean): Decision =>
    pods.by(podsOfNode, node).some((pod) => pod.metadata.namespace === namespace && refers(pod)) && name
      ? yes
      : no(`no relationship found between node '${node}' and this object`);

  function readObject(node: string, attributes: Attributes, refers: (pod: Pod, name: string) => boolean): Decision {
    const { verb, name } = attributes;
    if (!['get', 'list', 'watch'].includes(verb)) return no(`can only read resources of this type`);
    if (!name) return no('can only read namespaced object of this type');
    return related(node, attributes, (pod) => refers(pod, name));
  }

  /** Since 1.34 a node sees its own pods alone (KEP-4601). */
  function readPods(node: string, attributes: Attributes): Decision {
    const { verb, name, fieldSelector = '' } = attributes;
    if (verb === 'get') return related(node, attributes, (pod) => pod.metadata.name === name);
    return fieldSelector.split(',').some((part) => /^spec\.nodeName==?(.+)$/.exec(part)?.[1] === node)
      ? yes
      : no(`can only list/watch pods with spec.nodeName field selector`);
  }

  return {
    name: 'Node',
    authorize(attributes): Decision {
      const node = nodeOf(attributes.user);
      if (node === undefined || !attributes.isResource) return no();
      const { group, resource, subresource, verb, name, namespace } = attributes;
      if (group === '' && subresource === '') {
        if (resource === 'secrets') return readObject(node, attributes, refersToSecret);
        if (resource === 'configmaps') return readObject(node, attributes, refersToConfigMap);
        if (resource === 'pods' && reads.includes(verb)) return readPods(node, attributes);
        if (resource === 'nodes' && reads.includes(verb)) return readNode(node, name);
        if (resource === 'persistentvolumeclaims') return readObject(node, attributes, refersToClaim);
        if (resource === 'serviceaccounts')
          return readObject(node, attributes, (pod, account) => pod.spec.serviceAccountName === account);
      }
      if (group === '' && resource === 'serviceaccounts' && subresource === 'token')
        return verb === 'create'
          ? related(node, attributes, (pod) => pod.spec.serviceAccountName === name)
          : no('can only create tokens for individual service accounts');
      if (group === 'coordination.k8s.io' && resource === 'leases') return lease(node, verb, namespace, name);
      if (group === 'storage.k8s.io' && resource === 'csinodes')
        return !name || name === node ? yes : no('can only access CSINode with the same name as the requesting node');
      return rules.some((r) => allows(r, attributes)) ? yes : no();
    },
  };
}

const reads = ['get', 'list', 'watch'];

function readNode(node: string, name: string): Decision {
  if (name === node) return yes;
  return no(`node '${node}' cannot read ${name ? `'${name}'` : 'all nodes'}, only its own Node object`);
}

const leaseVerbs = ['get', 'create', 'update', 'patch', 'delete'];

function lease(node: string, verb: string, namespace: string, name: string): Decision {
  if (!leaseVerbs.includes(verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace');
  if (verb !== 'create' && name !== node)
    return no('can only access node lease with the same name as the requesting node');
  return yes;
}

const allContainers = ({ spec }: Pod) => [
  ...spec.containers,
  ...(spec.initContainers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

function refersToSecret({ spec }: Pod, name: string): boolean {
  return (
    (spec.imagePullSecrets?.some((s) => s.name === name) ?? false) ||
    allContainers({ spec } as Pod).some(
      (c) =>
        c.env?.some((e) => e.valueFrom?.secretKeyRef?.name === name) ||
        c.envFrom?.some((e) => e.secretRef?.name === name),
    ) ||
    (spec.volumes?.some(
      (v) => v.secret?.secretName === name || v.projected?.sources?.some((s) => s.secret?.name === name),
    ) ??
      false)
  );
}

function refersToConfigMap({ spec }: Pod, name: string): boolean {
  return (
    allContainers({ spec } as Pod).some(
      (c) =>
        c.env?.some((e) => e.valueFrom?.configMapKeyRef?.name === name) ||
        c.envFrom?.some((e) => e.configMapRef?.name === name),
    ) ||
    (spec.volumes?.some(
      (v) => v.configMap?.name === name || v.projected?.sources?.some((s) => s.configMap?.name === name),
    ) ??
      false)
  );
}

const refersToClaim = ({ spec, metadata }: Pod, name: string): boolean =>
  spec.volumes?.some(
    (v) => v.persistentVolumeClaim?.claimName === name || (v.ephemeral && `${metadata.name}-${v.name}` === name),
  ) ?? false;
