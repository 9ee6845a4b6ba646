// The objects that an object owns, level by level: those that the garbage collector deletes with it.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { getJson } from './api.ts';
import { kindById, kinds } from './catalog.ts';

export interface Owned {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of the owner in this tree. */
  readonly owner: string;
  readonly depth: number;
}

const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

/** Kinds that the controllers of Kubernetes create for each kind. */
const children: Readonly<Record<string, readonly string[]>> = {
  'deployments.apps': ['replicasets.apps'],
  'replicasets.apps': ['pods'],
  replicationcontrollers: ['pods'],
  'statefulsets.apps': ['pods', 'controllerrevisions.apps', 'persistentvolumeclaims'],
  'daemonsets.apps': ['pods', 'controllerrevisions.apps'],
  'cronjobs.batch': ['jobs.batch'],
  'jobs.batch': ['pods'],
  services: ['endpointslices.discovery.k8s.io'],
  pods: ['persistentvolumeclaims', 'resourceclaims.resource.k8s.io'],
};

/** Custom resources may own anything: these are looked through, and the kinds of their group. */
const likely = [
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
  'pods',
  'services',
  'configmaps',
  'secrets',
];
const deepest = 4;
const most = 500;

export async function ownedBy(kind: Kind, namespace: string, uid: string): Promise<Owned[]> {
  const found: Owned[] = [];
  const lists = new Map<string, Promise<readonly Metadata[]>>();
  const list = (child: Kind) => {
    const path = apiPath(child, namespace);
    const existing = lists.get(path) ?? metadataOf(path);
    lists.set(path, existing);
    return existing;
  };
  const descend = async (owner: { kind: Kind; uid: string }, depth: number): Promise<void> => {
    if (depth > deepest || found.length >= most || !owner.uid) return;
    for (const child of childKinds(owner.kind))
      for (const { name, uid: own, namespace: place, owners } of await list(child)) {
        if (!owners.includes(owner.uid) || found.some((one) => one.uid === own)) continue;
        found.push({ kind: child, namespace: place, name, uid: own, owner: owner.uid, depth });
        await descend({ kind: child, uid: own }, depth + 1);
      }
  };
  await descend({ kind, uid }, 1);
  return found;
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly owners: readonly string[];
}

/** Those that the user may not list count as none. */
async function metadataOf(path: string): Promise<readonly Metadata[]> {
  const list = await getJson(path, { accept: metadataOnly, query: { limit: '5000' } }).catch(() => undefined);
  return listIn(fieldsIn(list)['items']).map((item) => {
    const { name, namespace, uid, ownerReferences } = fieldsIn(fieldsIn(item)['metadata']);
    const owners = listIn(ownerReferences).map((owner) => textIn(fieldsIn(owner)['uid']));
    return { name: textIn(name), namespace: textIn(namespace), uid: textIn(uid), owners };
  });
}

function childKinds(kind: Kind): Kind[] {
  const ids = children[kindId(kind)];
  const builtIn = (ids ?? (isCustom(kind) ? likely : [])).flatMap((id) => kindById(id) ?? []);
  if (ids || !isCustom(kind)) return builtIn;
  const own = kinds.value.filter(({ group, verbs }) => group === kind.group && verbs.includes('list'));
  return [...builtIn, ...own];
}

const isCustom = ({ group }: Kind): boolean => group.includes('.') && !group.endsWith('.k8s.io');
