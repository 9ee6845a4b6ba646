// Kinds from discovery, and their places in the navigation.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly subresources: readonly string[];
}

/** The preferred version of each resource, from aggregated discovery. */
export function kindsOf(documents: readonly unknown[]): Kind[] {
  const found = new Map<string, Kind>();
  for (const document of documents)
    for (const item of listIn(fieldsIn(document)['items'])) {
      const group = textIn(fieldsIn(fieldsIn(item)['metadata'])['name']);
      for (const each of listIn(fieldsIn(item)['versions']))
        for (const resource of listIn(fieldsIn(each)['resources'])) {
          const kind = kindOf(group, textIn(fieldsIn(each)['version']), fieldsIn(resource));
          const id = kindId(kind);
          // Versions are in the server's order of preference.
          if (!found.has(id)) found.set(id, kind);
        }
    }
  return [...found.values()];
}

function kindOf(group: string, version: string, resource: Readonly<Record<string, unknown>>): Kind {
  const texts = (value: unknown) => listIn(value).map(textIn);
  return {
    group,
    version,
    resource: textIn(resource['resource']),
    kind: textIn(fieldsIn(resource['responseKind'])['kind']),
    isNamespaced: resource['scope'] === 'Namespaced',
    verbs: texts(resource['verbs']),
    shortNames: texts(resource['shortNames']),
    subresources: listIn(resource['subresources']).map((sub) => textIn(fieldsIn(sub)['subresource'])),
  };
}

/** In paths of the page; the core group has no name. */
export const kindId = ({ group, resource }: Pick<Kind, 'group' | 'resource'>): string =>
  group ? `${resource}.${group}` : resource;

/** The path of the resource in the API. */
export function apiPath(
  kind: Pick<Kind, 'group' | 'version' | 'resource' | 'isNamespaced'>,
  namespace = '',
  name = '',
) {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  const scope = kind.isNamespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${kind.resource}${name ? `/${encodeURIComponent(name)}` : ''}`;
}

export type SectionName = 'workloads' | 'network' | 'config' | 'storage' | 'access' | 'cluster';

/** Built-in kinds, in the order in which the navigation shows them. All others are listed by their group. */
const sections: Readonly<Record<SectionName, readonly string[]>> = {
  workloads: [
    ...['pods', 'deployments.apps', 'statefulsets.apps', 'daemonsets.apps', 'jobs.batch', 'cronjobs.batch'],
    ...['replicasets.apps', 'replicationcontrollers', 'horizontalpodautoscalers.autoscaling'],
    ...['poddisruptionbudgets.policy'],
  ],
  network: [
    ...['services', 'ingresses.networking.k8s.io', 'networkpolicies.networking.k8s.io'],
    ...['endpointslices.discovery.k8s.io', 'endpoints', 'ingressclasses.networking.k8s.io'],
  ],
  config: ['configmaps', 'secrets', 'resourcequotas', 'limitranges', 'priorityclasses.scheduling.k8s.io'],
  storage: [
    ...['persistentvolumeclaims', 'persistentvolumes', 'storageclasses.storage.k8s.io'],
    ...['volumeattachments.storage.k8s.io', 'csidrivers.storage.k8s.io', 'csinodes.storage.k8s.io'],
  ],
  access: [
    ...['serviceaccounts', 'roles.rbac.authorization.k8s.io', 'rolebindings.rbac.authorization.k8s.io'],
    ...['clusterroles.rbac.authorization.k8s.io', 'clusterrolebindings.rbac.authorization.k8s.io'],
  ],
  cluster: [
    ...['nodes', 'namespaces', 'events', 'leases.coordination.k8s.io', 'runtimeclasses.node.k8s.io'],
    ...['customresourcedefinitions.apiextensions.k8s.io', 'apiservices.apiregistration.k8s.io'],
  ],
};

export interface Section {
  /** A name of a translated section, or an API group. */
  readonly name: SectionName | (string & {});
  readonly isGroup: boolean;
  readonly kinds: readonly Kind[];
}

/** The navigation: kinds that can be listed. */
export function sectionsOf(kinds: readonly Kind[]): Section[] {
  const left = new Map(
    kinds
      .filter(({ verbs, group, resource }) => verbs.includes('list') && !isDuplicate(group, resource))
      .map((kind) => [kindId(kind), kind]),
  );
  const builtIn = Object.entries(sections).map(([name, ids]): Section => {
    const found = ids.flatMap((id) => left.get(id) ?? []);
    for (const kind of found) left.delete(kindId(kind));
    return { name, isGroup: false, kinds: found };
  });
  const others = Map.groupBy(left.values(), ({ group }) => group);
  const groups = [...others].map(([group, list]): Section => ({ name: group || 'core', isGroup: true, kinds: list }));
  groups.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...builtIn, ...groups].filter((section) => section.kinds.length > 0);
}

/** Events are served by two groups; the metrics are shown with nodes and pods. */
const isDuplicate = (group: string, resource: string): boolean =>
  (group === 'events.k8s.io' && resource === 'events') || resource === 'componentstatuses';
