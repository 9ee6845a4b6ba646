// Makes the resource claims of pods from their templates, and reserves claims for pods that were bound without the
// scheduler.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import {
  controllerOf,
  type Pod,
  type PodResourceClaim,
  type ResourceV1ResourceClaim as ResourceClaim,
  type ResourceClaimTemplate,
  resourceClaimsOf,
} from '../../api/api.ts';
import { type Controller, keyOf, type Tools, type Watch } from '../../client/client.ts';
import { isPodDone } from './pod-done.ts';

const byClaim = 'by resource claim';
const byTemplate = 'by resource claim template';
const byOwner = 'by owner';
const claimAnnotation = 'resource.kubernetes.io/pod-claim-name';
const fieldManager = 'ResourceClaimController';
/** Users of one claim. */
const mostUsers = 256;
/** A generated name has a hyphen and five random characters more. */
const longestBase = 57;

const claimKeysOf = (pod: Pod): string[] =>
  [...resourceClaimsOf(pod)].map((name) => `${pod.metadata.namespace}/${name}`);

const templateKeysOf = ({ metadata, spec }: Pod): string[] =>
  (spec.resourceClaims ?? []).flatMap(({ resourceClaimTemplateName: name }) =>
    name ? [`${metadata.namespace}/${name}`] : [],
  );

const claiming: Watch = {
  resource: 'pods',
  keys: (pod: Pod) => (pod.spec.resourceClaims?.length ? [keyOf(pod)] : []),
};

const usersOfClaim: Watch = {
  resource: 'resourceclaims',
  keys: (claim: ResourceClaim, { lister }) => lister('pods').by(byClaim, keyOf(claim)).map(keyOf),
};

const usersOfTemplate: Watch = {
  resource: 'resourceclaimtemplates',
  keys: (template: ResourceClaimTemplate, { lister }) => lister('pods').by(byTemplate, keyOf(template)).map(keyOf),
};

export const podResourceClaims: Controller = {
  name: 'resourceclaim',
  component: 'resource_claim',
  watches: [claiming, usersOfClaim, usersOfTemplate],
  indexes: [
    { resource: 'pods', name: byClaim, valuesOf: claimKeysOf },
    { resource: 'pods', name: byTemplate, valuesOf: templateKeysOf },
    {
      resource: 'resourceclaims',
      name: byOwner,
      valuesOf: (claim) => (controllerOf(claim) ? [controllerOf(claim)?.uid ?? ''] : []),
    },
  ],
  async reconcile(key, tools) {
    const pod = tools.lister('pods').get(key);
    // The claims of an ended pod have been deleted, and are not made again.
    if (!pod || pod.metadata.deletionTimestamp || isPodDone(pod)) return;
    const made = new Map<string, string>();
    for (const podClaim of pod.spec.resourceClaims ?? [])
      try {
        const name = await ensureClaim(pod, podClaim, tools);
        if (name !== undefined) made.set(podClaim.name, name);
      } catch (error) {
        const message = `PodResourceClaim ${podClaim.name}: ${(error as Error).message}`;
        tools.events.event(pod, 'Warning', 'FailedResourceClaimCreation', message);
        throw new Error(`pod ${key}, ${message}`);
      }
    if (made.size > 0) return writeStatus(pod, made, tools);
    // The scheduler reserves the claims of the pods that it binds.
    if (pod.spec.nodeName) await reserveAll(pod, tools);
  },
};

/** The entry of the pod's status about a claim from a template. */
const statusOf = ({ status }: Pod, name: string) => status?.resourceClaimStatuses?.find((entry) => entry.name === name);

const isOwn = (pod: Pod, claim: ResourceClaim): boolean => controllerOf(claim)?.uid === pod.metadata.uid;

/** The name of the claim, if the status of the pod lacks it. */
async function ensureClaim(pod: Pod, podClaim: PodResourceClaim, tools: Tools): Promise<string | undefined> {
  const { resourceClaimTemplateName: templateName, name: entry } = podClaim;
  if (!templateName) return undefined;
  const recorded = statusOf(pod, entry);
  // An entry without a name says that no claim is needed.
  if (recorded && !recorded.resourceClaimName) return undefined;
  const claims = tools.lister('resourceclaims');
  const { namespace } = pod.metadata;
  const named = recorded && claims.get(`${namespace}/${recorded.resourceClaimName}`);
  if (named && isOwn(pod, named)) return undefined;
  // A write of the status may have failed after the claim was made.
  const orphan = claims
    .by(byOwner, pod.metadata.uid)
    .find(({ metadata }) => metadata.annotations?.[claimAnnotation] === entry);
  if (orphan) return orphan.metadata.name;
  const template = tools.lister('resourceclaimtemplates').get(`${namespace}/${templateName}`);
  if (!template)
    throw new Error(
      `resource claim template "${templateName}": resourceclaimtemplate.resource.k8s.io "${templateName}" not found`,
    );
  return (await createClaim(pod, entry, template, tools)).metadata.name;
}

async function createClaim(
  pod: Pod,
  entry: string,
  { spec }: ResourceClaimTemplate,
  { client, metrics }: Tools,
): Promise<ResourceClaim> {
  const { name, namespace, uid } = pod.metadata;
  const { annotations, labels } = spec.metadata ?? {};
  const isAdmin = spec.spec.devices?.requests?.some(({ exactly }) => exactly?.adminAccess) ?? false;
  const count = (status: 'success' | 'failure') =>
    metrics
      .counter('resourceclaim_controller_creates_total', 'Number of ResourceClaims creation requests')
      .add(1, { status, admin_access: String(isAdmin) });
  const claim = {
    metadata: {
      namespace,
      generateName: baseOf(name, entry),
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: true }],
      annotations: { ...annotations, [claimAnnotation]: entry },
      ...(labels && { labels }),
    },
    spec: spec.spec,
  };
  try {
    const made = await client.create('resourceclaims', claim);
    count('success');
    return made;
  } catch (error) {
    count('failure');
    throw new Error(`create ResourceClaim : ${(error as Error).message}`);
  }
}

/** Too long names are shortened both, so that each remains recognizable. */
export function baseOf(pod: string, entry: string): string {
  const base = `${pod}-${entry}-`;
  if (base.length <= longestBase) return base;
  const part = (text: string, whole: number) => text.slice(0, Math.trunc((text.length * longestBase) / whole));
  return `${part(pod, base.length)}-${part(entry, base.length)}`;
}

/** Also repeats the entries that are there: this manager owns them all. */
async function writeStatus(pod: Pod, made: ReadonlyMap<string, string>, { client }: Tools): Promise<void> {
  const { name, namespace = '' } = pod.metadata;
  const others = (pod.status?.resourceClaimStatuses ?? []).filter((entry) => !made.has(entry.name));
  const entries = [...made].map(([entry, resourceClaimName]) => ({ name: entry, resourceClaimName }));
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    status: { resourceClaimStatuses: [...others, ...entries] },
  };
  const target = { name, namespace };
  await client.patch('pods', target, { type: 'apply', body, force: true }, { fieldManager, subresource: 'status' });
}

async function reserveAll(pod: Pod, { client, lister }: Tools): Promise<void> {
  const { name, uid, namespace } = pod.metadata;
  for (const { name: entry, resourceClaimName } of pod.spec.resourceClaims ?? []) {
    const claimName = resourceClaimName ?? statusOf(pod, entry)?.resourceClaimName;
    const claim = claimName && lister('resourceclaims').get(`${namespace}/${claimName}`);
    if (!claim) continue;
    if (!resourceClaimName && !isOwn(pod, claim)) continue;
    const { allocation, reservedFor = [] } = claim.status ?? {};
    const isReserved = reservedFor.some((user) => user.uid === uid);
    if (!allocation || isReserved || reservedFor.length >= mostUsers) continue;
    const next = {
      ...claim,
      status: { ...claim.status, reservedFor: [...reservedFor, { resource: 'pods', name, uid }] },
    };
    await client.update('resourceclaims', next, { subresource: 'status' });
  }
}
