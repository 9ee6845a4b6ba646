// The stored objects as an upgrade needs to know them: their API versions, the nodes, and the custom resources.

import { KindRegistry } from '../../api/api.ts';
import { fieldsIn, listIn, textIn } from '../../machinery/parsed.ts';
import { type BackupPart, type Entry, textOf } from '../../store/store.ts';
import { resourceFinder } from '../configuration/encryption.ts';

interface StoredNode {
  readonly name: string;
  readonly kubeletVersion: string;
  readonly isServer: boolean;
}

interface StoredVersion {
  /** Such as deployments.apps. */
  readonly resource: string;
  readonly apiVersion: string;
  readonly count: number;
  /** Whether this program reads it; undefined: the resource is a custom one without a definition. */
  readonly isRead: boolean | undefined;
}

interface CustomResource {
  readonly name: string;
  readonly versions: readonly string[];
  readonly storageVersion: string;
  /** Versions in which objects may be stored. */
  readonly storedVersions: readonly string[];
}

export interface StoredFacts {
  readonly nodes: readonly StoredNode[];
  readonly versions: readonly StoredVersion[];
  readonly customResources: readonly CustomResource[];
  /** Values that are encrypted or in another form than JSON: their versions are not seen. */
  readonly unseen: number;
}

interface Seen {
  readonly resource: string;
  readonly group: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly isBuiltIn: boolean;
  count: number;
}

export async function surveyStored(parts: AsyncIterable<BackupPart>): Promise<StoredFacts> {
  const survey = new Survey();
  for await (const part of parts) if (part.type === 'entries') for (const entry of part.entries) survey.add(entry);
  return survey.result();
}

class Survey {
  readonly #kinds = new KindRegistry();
  readonly #find = resourceFinder('/registry');
  readonly #builtIn = new Set(this.#kinds.all().map(({ group, resource }) => `${resource}.${group}`));
  readonly #seen = new Map<string, Seen>();
  readonly #nodes: StoredNode[] = [];
  readonly #customResources: CustomResource[] = [];
  #unseen = 0;

  add({ key, value }: Entry): void {
    const found = this.#find(key);
    if (!found) return; // of the API server itself, such as allocated ranges
    const object = parsed(textOf(value));
    if (!object) {
      this.#unseen++;
      return;
    }
    const [apiVersion, kind] = [textIn(object['apiVersion']), textIn(object['kind'])];
    const resource = found.group ? `${found.resource}.${found.group}` : found.resource;
    const id = `${resource} ${apiVersion} ${kind}`;
    const isBuiltIn = this.#builtIn.has(`${found.resource}.${found.group}`);
    const seen = this.#seen.get(id) ?? { resource, group: found.group, apiVersion, kind, isBuiltIn, count: 0 };
    seen.count++;
    this.#seen.set(id, seen);
    if (resource === 'nodes') this.#nodes.push(nodeOf(object));
    if (resource === 'customresourcedefinitions.apiextensions.k8s.io') this.#customResources.push(customOf(object));
  }

  result(): StoredFacts {
    const versions = [...this.#seen.values()].map((seen) => ({
      ...{ resource: seen.resource, apiVersion: seen.apiVersion, count: seen.count },
      isRead: this.#isRead(seen),
    }));
    const byName = <T extends { name: string }>(items: readonly T[]) =>
      items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return {
      nodes: byName(this.#nodes),
      versions,
      customResources: byName(this.#customResources),
      unseen: this.#unseen,
    };
  }

  #isRead({ resource, apiVersion, kind, isBuiltIn }: Seen): boolean | undefined {
    const slash = apiVersion.indexOf('/');
    const [group, version] = slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
    if (isBuiltIn) return this.#kinds.byKind(group, version, kind) !== undefined;
    return this.#customResources.find(({ name }) => name === resource)?.versions.includes(version);
  }
}

function parsed(text: string): ReturnType<typeof fieldsIn> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? fieldsIn(value) : undefined;
  } catch {
    return undefined;
  }
}

const metadataOf = (object: ReturnType<typeof fieldsIn>) => fieldsIn(object['metadata']);

function nodeOf(object: ReturnType<typeof fieldsIn>): StoredNode {
  const { name, labels } = metadataOf(object);
  const { nodeInfo } = fieldsIn(object['status']);
  return {
    name: textIn(name),
    kubeletVersion: textIn(fieldsIn(nodeInfo)['kubeletVersion']),
    isServer: 'node-role.kubernetes.io/control-plane' in fieldsIn(labels),
  };
}

function customOf(object: ReturnType<typeof fieldsIn>): CustomResource {
  const versions = listIn(fieldsIn(object['spec'])['versions']).map(fieldsIn);
  return {
    name: textIn(metadataOf(object)['name']),
    versions: versions.map(({ name }) => textIn(name)),
    storageVersion: textIn(versions.find(({ storage }) => storage === true)?.['name']),
    storedVersions: listIn(fieldsIn(object['status'])['storedVersions']).map(textIn),
  };
}
