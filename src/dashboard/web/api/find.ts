// The search over everything: kinds by their names, and objects by parts of their names.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { titleOf } from '../model/titles.ts';
import { links } from '../router.ts';
import { getJson } from './api.ts';

export interface Target {
  readonly name: string;
  readonly detail: string;
  readonly link: string;
}

const mostKinds = 8;
const mostOfKind = 8;
const most = 40;
/** Of each kind, this many names are looked through. */
const looked = 2_000;
const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

/** Kinds whose objects people look for by name, most wanted first. */
const searched = [
  ...['pods', 'deployments.apps', 'services', 'nodes', 'namespaces', 'statefulsets.apps', 'daemonsets.apps'],
  ...['configmaps', 'secrets', 'jobs.batch', 'cronjobs.batch', 'ingresses.networking.k8s.io'],
  ...['persistentvolumeclaims', 'serviceaccounts', 'customresourcedefinitions.apiextensions.k8s.io'],
];

/** Reports kinds at once, and objects as they are found. */
export async function findTargets(
  kinds: readonly Kind[],
  text: string,
  signal: AbortSignal,
  show: (targets: readonly Target[]) => void,
): Promise<void> {
  const wanted = text.trim().toLowerCase();
  let found = kindTargets(kinds, wanted);
  show(found);
  if (wanted.length < 2) return;
  await Promise.all(
    searched.map(async (id) => {
      const kind = kinds.find((one) => kindId(one) === id);
      if (!kind) return;
      const targets = await objectTargets(kind, wanted, signal).catch(() => []);
      if (signal.aborted || targets.length === 0) return;
      found = [...found, ...targets].slice(0, most);
      show(found);
    }),
  );
}

function kindTargets(kinds: readonly Kind[], wanted: string): Target[] {
  return kinds
    .filter(({ verbs }) => verbs.includes('list'))
    .map((kind) => ({ kind, rank: rankOf(kind, wanted) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, mostKinds)
    .map(({ kind }) => ({ name: titleOf(kind), detail: kind.group, link: links.list(kindId(kind)) }));
}

/** 0: exactly this kind; 3: another one. */
function rankOf({ resource, kind, shortNames }: Kind, wanted: string): number {
  if (resource === wanted || shortNames.includes(wanted) || kind.toLowerCase() === wanted) return 0;
  if (resource.startsWith(wanted)) return 1;
  return resource.includes(wanted) ? 2 : 3;
}

async function objectTargets(kind: Kind, wanted: string, signal: AbortSignal): Promise<Target[]> {
  const list = await getJson(apiPath(kind), { accept: metadataOnly, query: { limit: String(looked) }, signal });
  return listIn(fieldsIn(list)['items'])
    .map((item) => fieldsIn(fieldsIn(item)['metadata']))
    .map(({ name, namespace }) => ({ name: textIn(name), namespace: textIn(namespace) }))
    .filter(({ name }) => name.includes(wanted))
    .slice(0, mostOfKind)
    .map(({ name, namespace }) => ({
      name,
      detail: namespace ? `${kind.kind} · ${namespace}` : kind.kind,
      link: links.object(kindId(kind), namespace, name),
    }));
}
