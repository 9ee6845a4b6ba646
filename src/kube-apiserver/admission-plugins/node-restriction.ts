import { type ApiObject, forbidden, isNotFound, type Node, type Pod } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/equal.ts';
import { nodeOf } from '../access/node.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const restrictedLabels = /(^|\.)node-restriction\.kubernetes\.io\//;
const kubernetesLabels = /(^|\.)(kubernetes|k8s)\.io\//;
/** Labels of Kubernetes' own domains that a kubelet sets on its node. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'node.kubernetes.io/windows-build',
]);
const ownPrefixes = /(^|\.)(kubelet|node)\.kubernetes\.io\//;

/** A kubelet changes its own node and its own pods alone. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction */
export const nodeRestriction = (client: () => Client): AdmissionPlugin => ({
  name: 'NodeRestriction',
  async admit(attributes) {
    const node = nodeOf(attributes.user);
    if (node === undefined || attributes.kind.group !== '') return;
    if (attributes.kind.kind === 'Node') checkNode(attributes, node);
    if (attributes.kind.kind === 'Pod') await checkPod(attributes, node, client());
  },
});

function checkNode({ kind, name, operation, object, oldObject, subresource }: AdmissionAttributes, node: string): void {
  const refuse = (why: string) => forbidden(kind, name, why);
  if ((object?.metadata.name || name) !== node) throw refuse(`node "${node}" is not allowed to modify node "${name}"`);
  if (operation === 'DELETE') throw refuse(`node "${node}" is not allowed to delete node "${name}"`);
  if (subresource || !object) return;
  const [next, old] = [object as Node, oldObject as Node | undefined];
  const labels = changedLabels(next, old).filter(
    (key) =>
      restrictedLabels.test(key) || (kubernetesLabels.test(key) && !ownLabels.has(key) && !ownPrefixes.test(key)),
  );
  if (labels.length > 0) throw refuse(`is not allowed to modify labels: ${labels.sort().join(', ')}`);
  if (old && !deepEqual(next.spec?.taints ?? [], old.spec?.taints ?? []))
    throw refuse(`node "${node}" is not allowed to modify taints`);
}

function changedLabels(next: ApiObject, old: ApiObject | undefined): string[] {
  const [a, b] = [next.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]);
}

async function checkPod(
  { kind, name, namespace, operation, object, oldObject, subresource }: AdmissionAttributes,
  node: string,
  client: Client,
): Promise<void> {
  const refuse = (why: string) => forbidden(kind, name, why);
  if (operation === 'CREATE' && subresource === '') {
    const pod = object as Pod;
    if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
      throw refuse(`pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`);
    if (pod.spec.nodeName !== node)
      throw refuse(`node "${node}" can only create pods with spec.nodeName set to itself`);
    return;
  }
  if (operation === 'DELETE' || subresource === 'eviction') {
    const pod =
      (oldObject as Pod | undefined) ??
      (await client
        .get('pods', { namespace, name })
        .catch((error) => (isNotFound(error) ? undefined : Promise.reject(error))));
    const verb = operation === 'DELETE' ? 'delete' : 'evict';
    if (pod && pod.spec?.nodeName !== node)
      throw refuse(`node "${node}" can only ${verb} pods with spec.nodeName set to itself`);
    return;
  }
  if (operation === 'UPDATE' && subresource === 'status' && (oldObject as Pod).spec.nodeName !== node)
    throw refuse(`node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
}
