// Every served resource, from discovery: for controllers that work on all kinds.

import { type Client, type ResourceRef, settleEach } from '../../client/client.ts';

export interface DiscoveredResource extends ResourceRef {
  readonly kind: string;
  readonly verbs: readonly string[];
}

export interface Discovery {
  readonly resources: readonly DiscoveredResource[];
  /** Group versions whose discovery failed, with the error of aggregated discovery. */
  readonly failures: ReadonlyMap<string, string>;
}

interface ApiGroup {
  readonly name: string;
  readonly versions: readonly { readonly version: string }[];
  readonly preferredVersion?: { readonly version: string };
}

type ApiResource = Omit<DiscoveredResource, 'group' | 'version' | 'resource'> & { readonly name: string };

/** One version a group: the preferred one, and others only for resources that it lacks. */
export async function discover(client: Client): Promise<Discovery> {
  const { groups = [] } = await client.raw<{ groups?: readonly ApiGroup[] }>('GET', '/apis');
  const versions: { group: string; version: string; path: string }[] = [{ group: '', version: 'v1', path: '/api/v1' }];
  for (const { name, preferredVersion, versions: served } of groups) {
    const others = served.map(({ version }) => version).filter((version) => version !== preferredVersion?.version);
    for (const version of preferredVersion ? [preferredVersion.version, ...others] : others)
      versions.push({ group: name, version, path: `/apis/${name}/${version}` });
  }
  const failures = new Map<string, string>();
  const lists = await settleEach(versions, ({ path }) =>
    client.raw<{ resources?: readonly ApiResource[] }>('GET', path),
  );
  const found = new Map<string, DiscoveredResource>();
  versions.forEach(({ group, version }, i) => {
    const list = lists[i];
    if (list.status === 'rejected') {
      const failed = group ? `${group}/${version}` : version;
      failures.set(failed, `stale GroupVersion discovery: ${failed}`);
      return;
    }
    for (const { name, kind, namespaced, verbs } of list.value.resources ?? [])
      if (!name.includes('/') && !found.has(`${group}/${name}`))
        found.set(`${group}/${name}`, { group, version, resource: name, kind, namespaced, verbs });
  });
  return { resources: [...found.values()], failures };
}
