// Discovery of servers before Kubernetes 1.26, in the form of aggregated discovery.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

const most = 300;

/** The versions that an APIVersions or APIGroupList names, the preferred one of each group first; none for others. */
export function groupVersionsIn(document: unknown): readonly GroupVersion[] {
  const { kind, versions, groups } = fieldsIn(document);
  if (kind === 'APIVersions') return listIn(versions).map((version) => ({ group: '', version: textIn(version) }));
  if (kind !== 'APIGroupList') return [];
  const found = listIn(groups)
    .map(fieldsIn)
    .flatMap(({ name, versions, preferredVersion }) => {
      const preferred = textIn(fieldsIn(preferredVersion)['version']);
      const all = listIn(versions).map((one) => textIn(fieldsIn(one)['version']));
      return [...new Set([preferred, ...all])].filter(Boolean).map((version) => ({ group: textIn(name), version }));
    });
  return found.slice(0, most);
}

/** Of an APIResourceList: `pods/log` is a subresource of pods. */
export function resourcesIn(list: unknown): readonly object[] {
  const all = listIn(fieldsIn(list)['resources']).map(fieldsIn);
  const namesOf = (resource: string) =>
    all.map(({ name }) => textIn(name)).filter((name) => name.startsWith(`${resource}/`));
  return all
    .filter(({ name }) => !textIn(name).includes('/'))
    .map(({ name, kind, namespaced, verbs, shortNames }) => ({
      ...{ resource: name, responseKind: { kind }, scope: namespaced === true ? 'Namespaced' : 'Cluster' },
      ...{ verbs, shortNames },
      subresources: namesOf(textIn(name)).map((full) => ({ subresource: full.slice(textIn(name).length + 1) })),
    }));
}
