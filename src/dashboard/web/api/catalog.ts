// All kinds that the server serves, as signals; read again when a CustomResourceDefinition may have changed.

import { computed, signal } from '@preact/signals';
import { type Kind, kindId, kindsOf, type Section, sectionsOf } from '../model/kinds.ts';
import { groupVersionsIn, resourcesIn } from '../model/old-discovery.ts';
import { after } from '../system.ts';
import { getJson } from './api.ts';

const aggregatedAs = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
const aggregated = `${aggregatedAs('v2')},${aggregatedAs('v2beta1')},application/json`;

const retryMs = 2_000;

/** Why there are no kinds. */
export const catalogFault = signal('');
export const kinds = signal<readonly Kind[]>([]);
export const sections = computed<readonly Section[]>(() => sectionsOf(kinds.value));

const byId = computed(() => new Map(kinds.value.map((kind) => [kindId(kind), kind])));
const byApiKind = computed(() => new Map(kinds.value.map((kind) => [`${kind.group}/${kind.kind}`, kind] as const)));

export const kindById = (id: string): Kind | undefined => byId.value.get(id);

/** The kind that an object names by its apiVersion and kind, in the version that the page uses. */
export function kindOfObject(apiVersion = '', kind = ''): Kind | undefined {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return byApiKind.value.get(`${group}/${kind}`);
}

export async function loadCatalog(): Promise<void> {
  try {
    const documents = await Promise.all(['/api', '/apis'].map((path) => getJson(path, { accept: aggregated })));
    const found = kindsOf(await Promise.all(documents.map(aggregate)));
    if (JSON.stringify(found) !== JSON.stringify(kinds.value)) kinds.value = found;
    catalogFault.value = '';
  } catch (error) {
    catalogFault.value = error instanceof Error ? error.message : String(error);
    // The lists show the fault; without any kind, the page has nothing to show.
    if (kinds.value.length === 0) after(retryMs, () => void loadCatalog());
  }
}

/** Servers before Kubernetes 1.26 have a document for each version of each group. */
async function aggregate(document: unknown): Promise<unknown> {
  const versions = groupVersionsIn(document);
  if (versions.length === 0) return document;
  const lists = versions.map(async ({ group, version }) => {
    const path = group ? `/apis/${group}/${version}` : `/api/${version}`;
    // One group whose server is away does not hide the others.
    const list = await getJson(path).catch(() => undefined);
    return { metadata: { name: group }, versions: [{ version, resources: resourcesIn(list) }] };
  });
  return { items: await Promise.all(lists) };
}
