// /scale: the replicas of every scalable kind, as a Scale.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/

import { type ApiObject, internalError, invalid, type Kind, methodNotAllowed, type Scale } from '../../api/api.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import { breathe } from '../heavy.ts';
import { decodeShape, decodeValue, served } from '../registry/codec.ts';
import type { Target } from '../registry/operation.ts';
import { newestItem } from '../registry/read/get.ts';
import { checkNamespace, keyOf, matchName } from '../registry/target.ts';
import { applyTo } from '../registry/write/apply.ts';
import type { WriteContent } from '../registry/write/create.ts';
import { type PatchContent, patchOf } from '../registry/write/patch.ts';
import { replaceObject } from '../registry/write/update.ts';
import type { WriteOptions } from '../registry/write/write-options.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import { failure } from '../status.ts';
import { documentKind } from './document.ts';
import type { Subresource } from './subresource.ts';

/** A Scale is never stored: only its shape matters. */
const scaleKind = documentKind('autoscaling', 'v1', 'Scale');

export const scale: Subresource = {
  document: scaleKind,
  async answer(target, action): Promise<Reply> {
    switch (action.verb) {
      case 'get':
        return objectReply(200, scaleOf(target.kind, served(target.kind, await newestItem(target))));
      case 'update':
        return put(target, action.content);
      case 'patch':
        return patch(target, action.content);
      case 'apply':
        return apply(target, action.content);
      default:
        throw methodNotAllowed(target.kind, action.verb);
    }
  },
};

/** Where the numbers are; built-in kinds have them all in the same places. */
const builtin = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } as const;

const steps = (path: string): string[] => path.split('.').slice(1);
const read = (object: ApiObject, path: string): unknown =>
  steps(path).reduce<unknown>((value, step) => fieldsIn(value)[step], object);

/** A copy of the object along the path, with the value at its end. */
function withValue<T>(object: T, [step, ...rest]: readonly string[], value: unknown): T {
  return { ...object, [step]: rest.length ? withValue(fieldsIn(object)[step], rest, value) : value };
}

function selectorText({ custom, scalePaths, selectsByMap }: Kind, object: ApiObject): string {
  if (custom) return textIn(read(object, scalePaths?.labelSelectorPath ?? '.none'));
  const selector = fieldsIn(fieldsIn(object.spec)['selector']);
  return selectsByMap ? mapText(selector) : labelSelector(selector).toString();
}

function scaleOf(kind: Kind, object: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicasPath, statusReplicasPath } = kind.scalePaths ?? builtin;
  const replicas = read(object, specReplicasPath);
  if (replicas === undefined && kind.custom)
    throw internalError(`the spec replicas field ${JSON.stringify(specReplicasPath)} does not exist`);
  const text = selectorText(kind, object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { ...(replicas ? { replicas } : {}) },
    status: { replicas: read(object, statusReplicasPath) ?? 0, ...(text && { selector: text }) },
  } as ApiObject;
}

const mapText = (map: Readonly<Record<string, unknown>>): string =>
  Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

async function put(target: Target, content: WriteContent): Promise<Reply> {
  const wanted = await decodeShape(target, content, scaleKind);
  check(target, wanted as Scale);
  return write(target, content.options, () => wanted);
}

async function apply(target: Target, content: PatchContent): Promise<Reply> {
  const result = await applyTo(target, content, scaleKind, ({ metadata, spec }) => {
    const { replicas } = fieldsIn(spec);
    if (!content.options.force) conflictWithNobody(target, replicas);
    return replicasOnly(target.kind, metadata, replicas);
  });
  return objectReply(200, scaleOf(target.kind, result.object));
}

async function patch(target: Target, content: PatchContent): Promise<Reply> {
  const { options } = content;
  const change = await patchOf(target, content, scaleKind);
  return write(target, options, async (live) => {
    const { document } = await change(scaleOf(target.kind, live));
    await breathe(target.work);
    const next = await decodeValue(target, scaleKind, document, options);
    check(target, next as Scale);
    return next;
  });
}

/**
 * Replicas without an owner count as written by a separate manager, so that the first apply conflicts.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
 */
function conflictWithNobody(target: Target, replicas: unknown): void {
  const live = target.cache.get(keyOf(target.kind, target.namespace, target.name))?.object;
  if (!live) return;
  const path = steps((target.kind.scalePaths ?? builtin).specReplicasPath);
  const now = read(live, `.${path.join('.')}`);
  const owned = (live.metadata.managedFields ?? []).some(({ fieldsV1 }) =>
    path.reduce<unknown>((fields, step) => fieldsIn(fields)[`f:${step}`], fieldsV1),
  );
  if (owned || now === undefined || replicas === undefined || replicas === now) return;
  const manager = 'conflict with "before-first-apply" with subresource "scale" using autoscaling/v1';
  const field = `.${path.join('.')}`;
  throw failure(409, 'Conflict', `Apply failed with 1 conflict: ${manager}: ${field}`, {
    causes: [{ reason: 'FieldManagerConflict', message: manager, field }],
  });
}

function replicasOnly(target: Kind, metadata: ApiObject['metadata'], replicas: unknown): ApiObject {
  const { group, version, kind, scalePaths = builtin } = target;
  const object = { apiVersion: group ? `${group}/${version}` : version, kind, metadata };
  return withValue(object, steps(scalePaths.specReplicasPath), replicas);
}

function check(target: Target, wanted: Scale): void {
  matchName(target, wanted);
  checkNamespace(target.namespace, wanted);
  const replicas = wanted.spec?.replicas ?? 0;
  if (replicas >= 0) return;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  throw invalid({ group: 'autoscaling', kind: 'Scale' }, wanted.metadata.name ?? '', [
    { type: 'FieldValueInvalid', field: 'spec.replicas', message },
  ]);
}

async function write(
  target: Target,
  options: WriteOptions,
  wanted: (live: ApiObject) => ApiObject | Promise<ApiObject>,
): Promise<Reply> {
  const { object } = await replaceObject(target, options, {
    unconditional: true,
    async make(live) {
      const { metadata, spec } = (await wanted(live)) as Scale;
      const { specReplicasPath } = target.kind.scalePaths ?? builtin;
      const next: ApiObject = withValue(live, steps(specReplicasPath), spec?.replicas ?? 0);
      next.metadata = { ...live.metadata };
      next.metadata.resourceVersion = metadata.resourceVersion;
      if (metadata.uid) next.metadata.uid = metadata.uid;
      return next;
    },
  });
  return objectReply(200, scaleOf(target.kind, object));
}
