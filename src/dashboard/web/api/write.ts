// Writes of objects: as a whole, or by server-side apply, and first without effect (dry run).

import { apiPath, type Kind } from '../model/kinds.ts';
import { type KubeObject, objectIn, request } from './api.ts';
import { kindOfObject } from './catalog.ts';
import { Failure } from './failure.ts';

const fieldManager = 'coracle-console';

interface WriteOptions {
  readonly isDryRun: boolean;
  /** Takes over fields of other managers. */
  readonly isForced?: boolean;
}

/** Replaces the object; fails with 409 when it has changed since. */
export function update(kind: Kind, object: KubeObject, { isDryRun }: WriteOptions): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  return write(apiPath(kind, namespace, name), 'PUT', 'application/json', object, { isDryRun });
}

/** Creates the object, or sets the fields that it has. */
export function apply(kind: Kind, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  return write(apiPath(kind, namespace, name), 'PATCH', 'application/apply-patch+yaml', applied(object), options);
}

/** Fields that the server alone sets are not applied. */
function applied({ status: _, ...object }: KubeObject): KubeObject {
  const { managedFields, resourceVersion, uid, creationTimestamp, deletionTimestamp, ...metadata } = object.metadata;
  return { ...object, metadata: withoutGeneration(metadata) };
}

const withoutGeneration = ({ generation: _, ...metadata }: KubeObject['metadata'] & { generation?: unknown }) =>
  metadata;

async function write(
  path: string,
  method: string,
  contentType: string,
  object: KubeObject,
  { isDryRun, isForced }: WriteOptions,
): Promise<KubeObject> {
  const query = {
    fieldManager,
    fieldValidation: 'Strict',
    ...(isDryRun && { dryRun: 'All' }),
    ...(isForced && { force: 'true' }),
  };
  const response = await request(path, { method, contentType, query, body: JSON.stringify(object) });
  const written = objectIn(await response.json());
  if (!written) throw new Failure(0, '', 'the server returned no object');
  return written;
}

export const patch = async (path: string, body: object, contentType = 'application/merge-patch+json'): Promise<void> =>
  void (await request(path, { method: 'PATCH', contentType, query: { fieldManager }, body: JSON.stringify(body) }));

/** The kind of an object that the user wrote. Throws when the server does not have it. */
export function kindFor({ apiVersion, kind }: KubeObject): Kind {
  const found = kindOfObject(apiVersion, kind);
  if (!found) throw new Failure(404, 'NotFound', `the server has no kind ${kind ?? ''} in ${apiVersion ?? ''}`);
  const [group, version] = apiVersion?.includes('/') ? apiVersion.split('/') : ['', apiVersion ?? ''];
  return { ...found, group, version };
}

interface Conflict {
  readonly manager: string;
  readonly fields: readonly string[];
}

/** Conflicts of server-side apply, by manager: `conflict with "kubectl" using apps/v1: .spec.replicas`. */
export function conflictsIn({ causes }: Failure): Conflict[] {
  const byManager = new Map<string, string[]>();
  for (const { reason, message, field } of causes) {
    if (reason !== 'FieldManagerConflict') continue;
    const manager = /^conflict with "([^"]*)"/.exec(message)?.[1] ?? message;
    const fields = byManager.get(manager) ?? [];
    byManager.set(manager, [...fields, field]);
  }
  return [...byManager].map(([manager, fields]) => ({ manager, fields }));
}
