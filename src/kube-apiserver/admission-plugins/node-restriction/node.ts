import { type ApiObject, isKubeletLabel, type Node } from '../../../api/api.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import type { NodeRequest } from './node-request.ts';

/** A node may not steer workloads to itself, through the object or through its status. */
export function admitNode(request: NodeRequest): void {
  const { node, operation, object, oldObject, refuse } = request;
  const who = `node ${JSON.stringify(node)}`;
  // A node with generateName has no name yet.
  const name = operation === 'CREATE' ? (object?.metadata?.name ?? '') : request.name;
  if (name !== node) throw refuse(`${who} is not allowed to modify node ${JSON.stringify(name)}`);
  if (operation === 'CREATE') {
    const next = object as Node;
    if (next.spec?.configSource) throw refuse(`${who} is not allowed to create pods with a non-nil configSource`);
    const labels = forbiddenLabels(next, undefined);
    if (labels) throw refuse(`${who} is not allowed to set the following labels: ${labels}`);
  }
  if (operation !== 'UPDATE') return;
  const [next, old] = [object, oldObject] as Node[];
  const { configSource } = next.spec ?? {};
  if (configSource && !deepEqual(configSource, old.spec?.configSource))
    throw refuse(`${who} is not allowed to update configSource to a new non-nil configSource`);
  if (!deepEqual(next.spec?.taints ?? [], old.spec?.taints ?? []))
    throw refuse(`${who} is not allowed to modify taints`);
  // With a non-existing owner, the garbage collector would delete the node and its taints (CVE-2025-5187).
  if (!deepEqual(next.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? []))
    throw refuse(`${who} is not allowed to modify ownerReferences`);
  const labels = forbiddenLabels(next, old);
  if (labels) throw refuse(`is not allowed to modify labels: ${labels}`);
}

/** Labels that changed and may not, '' for none. */
function forbiddenLabels(next: ApiObject, old: ApiObject | undefined): string {
  const [a, b] = [next.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  const changed = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]);
  return changed
    .filter((key) => !isKubeletLabel(key))
    .sort()
    .join(', ');
}
