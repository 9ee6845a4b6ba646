// Additional rights for writes of ResourceClaims: binding devices, reporting on a driver's devices, and devices in use.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#granular-status-authorization

import {
  type AllocatedDeviceStatus,
  type AllocationResult,
  type FieldError,
  ignoreNotFound,
  type ResourceV1ResourceClaim as ResourceClaim,
  type ResourceClaimSpec,
  type ResourceClaimStatus,
  type ResourceClaimTemplate,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import { type Attributes, decide, refusal } from '../access/authorization.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import type { UserInfo } from '../request/user.ts';

const adminLabel = 'resource.kubernetes.io/admin-access';

/** Kubernetes checks this in the claim's strategy. */
export const resourceClaimRights = (client: () => Client): AdmissionPlugin => ({
  name: 'ResourceClaimRights',
  faults(attributes) {
    const { kind, operation, subresource, object } = attributes;
    if (kind.group !== 'resource.k8s.io' || !object) return;
    if (kind.resource === 'resourceclaims' && subresource === 'status' && operation === 'UPDATE')
      return statusFaults(attributes, client());
    if (operation !== 'CREATE' || subresource) return;
    if (kind.resource === 'resourceclaims') return adminFaults(attributes, client(), (object as ResourceClaim).spec);
    if (kind.resource === 'resourceclaimtemplates')
      return adminFaults(attributes, client(), (object as ResourceClaimTemplate).spec?.spec);
  },
});

const forbidden = (field: string, why: string): FieldError => ({
  type: 'FieldValueForbidden',
  field,
  message: `Forbidden: ${why}`,
});

async function adminFaults(
  attributes: AdmissionAttributes,
  client: Client,
  spec?: ResourceClaimSpec,
): Promise<FieldError[]> {
  const requests = spec?.devices?.requests ?? [];
  const index = requests.findIndex((request) => request?.exactly?.adminAccess === true);
  if (index < 0) return [];
  return namespaceFaults(attributes, client, `spec.devices.requests[${index}].adminAccess`);
}

/** Access to devices that are in use is for namespaces that an administrator marked. */
async function namespaceFaults({ namespace }: AdmissionAttributes, client: Client, path: string) {
  const found = await client.get('namespaces', { name: namespace }).catch(ignoreNotFound);
  if (found?.metadata.labels?.[adminLabel] === 'true') return [];
  return [
    forbidden(path, `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`),
  ];
}

async function statusFaults(attributes: AdmissionAttributes, client: Client): Promise<FieldError[]> {
  const next = (attributes.object as ResourceClaim).status ?? {};
  const old = (attributes.oldObject as ResourceClaim).status ?? {};
  const faults: FieldError[] = [];
  const admin = ({ allocation }: ResourceClaimStatus): number =>
    (allocation?.devices?.results ?? []).findIndex((result) => result?.adminAccess === true);
  const index = admin(next);
  if (index >= 0 && admin(old) < 0)
    faults.push(
      ...(await namespaceFaults(attributes, client, `status.allocation.devices.results[${index}].adminAccess`)),
    );
  faults.push(...(await bindingFaults(attributes, next, old)));
  if (next.allocation) faults.push(...(await driverFaults(attributes, next, old)));
  return faults;
}

/** The verb of the request: both write the whole status. */
const verbOf = ({ isPatch }: AdmissionAttributes): string => (isPatch ? 'patch' : 'update');

async function bindingFaults(
  attributes: AdmissionAttributes,
  next: ResourceClaimStatus,
  old: ResourceClaimStatus,
): Promise<FieldError[]> {
  const written = ({ allocation, reservedFor }: ResourceClaimStatus) => [allocation ?? null, reservedFor ?? []];
  if (deepEqual(written(next), written(old))) return [];
  const verb = verbOf(attributes);
  const why = await refused(attributes, { verb, subresource: 'binding', namespace: '', name: '' });
  if (!why) return [];
  const needs = `changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="${verb}" permission`;
  return [forbidden('status.allocation', `${needs}: ${why}`)];
}

async function driverFaults(
  attributes: AdmissionAttributes,
  next: ResourceClaimStatus,
  old: ResourceClaimStatus,
): Promise<FieldError[]> {
  const { user, namespace } = attributes;
  const verb = verbOf(attributes);
  const isOwnNode = nodeOf(user) !== undefined && nodeOf(user) === allocatedNode(next.allocation);
  const verbs = [...(isOwnNode ? [`associated-node:${verb}`] : []), `arbitrary-node:${verb}`];
  const faults: FieldError[] = [];
  for (const name of changedDrivers(next.devices ?? [], old.devices ?? [])) {
    let first: string | undefined;
    let allowed = false;
    for (const tried of verbs) {
      const why = await refused(attributes, { verb: tried, subresource: 'driver', namespace, name });
      allowed ||= !why;
      if (allowed) break;
      first ??= why;
    }
    const needs = `changing status.devices requires resource="resourceclaims/driver", verb="[${verbs.join(' ')}]" permission`;
    if (!allowed) faults.push(forbidden('status.devices', `${needs}: ${first}`));
  }
  return faults;
}

/** Why the user may not; undefined when they may. */
async function refused(
  { server, user, kind }: AdmissionAttributes,
  over: Pick<Attributes, 'verb' | 'subresource' | 'namespace' | 'name'>,
): Promise<string | undefined> {
  const { group, version, resource } = kind;
  const asked = { user, group, version, resource, isResource: true, path: '', rest: '', ...over };
  const { decision, reason } = await decide(server.authorizers, asked);
  return decision === 'allow' ? undefined : refusal(asked, reason).message;
}

/** Drivers of which an entry was added, changed or removed, sorted. */
function changedDrivers(next: readonly AllocatedDeviceStatus[], old: readonly AllocatedDeviceStatus[]): string[] {
  const key = ({ driver, pool, device, shareID }: AllocatedDeviceStatus) =>
    JSON.stringify([driver, pool, device, shareID ?? '']);
  const before = new Map(old.map((entry) => [key(entry), entry]));
  const drivers = new Set<string>();
  for (const entry of next) {
    const previous = before.get(key(entry));
    before.delete(key(entry));
    if (!previous || !deepEqual(previous, entry)) drivers.add(entry.driver ?? '');
  }
  for (const { driver } of before.values()) drivers.add(driver ?? '');
  return [...drivers].sort();
}

/** The node that a service account's token belongs to. */
function nodeOf({ name, extra }: UserInfo): string | undefined {
  const nodes = extra?.['authentication.kubernetes.io/node-name'] ?? [];
  const isAccount = /^system:serviceaccount:[^:]+:[^:]+$/.test(name);
  return isAccount && nodes.length === 1 && !dns1123SubdomainFaults(nodes[0]).length ? nodes[0] : undefined;
}

/** The one node that the allocation is for. */
function allocatedNode(allocation: AllocationResult | undefined): string | undefined {
  const terms = allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const [field, ...more] = terms[0]?.matchFields ?? [];
  if (terms.length !== 1 || terms[0]?.matchExpressions?.length || more.length) return undefined;
  const { key, operator, values } = field ?? {};
  return key === 'metadata.name' && operator === 'In' && values?.length === 1 ? values[0] : undefined;
}
