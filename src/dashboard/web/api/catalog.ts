// All kinds that the server serves, as signals; read again when a CustomResourceDefinition may have changed.

import { computed, signal } from '@preact/signals';
import { type Kind, kindId, kindsOf, type Section, sectionsOf } from '../model/kinds.ts';
import { after } from '../system.ts';
import { getJson } from './api.ts';

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

const retryMs = 2_000;

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
    const found = kindsOf(documents);
    if (JSON.stringify(found) !== JSON.stringify(kinds.value)) kinds.value = found;
  } catch {
    // The lists show the fault; without any kind, the page has nothing to show.
    if (kinds.value.length === 0) after(retryMs, () => void loadCatalog());
  }
}
