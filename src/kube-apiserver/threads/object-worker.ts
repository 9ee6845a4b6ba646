// Processes large objects in a separate thread: one message and one response per object. large-objects.ts is its
// client.

import { parentPort, workerData } from 'node:worker_threads';
import {
  type ApiObject,
  badRequest,
  builtinKinds,
  type CustomResourceDefinition,
  customKinds,
  isApiError,
  type Kind,
  mostFaults,
} from '../../api/api.ts';
import { ApplyConflicts, applyConfiguration, updateManagedFields } from '../../machinery/fields/managed-fields.ts';
import { must } from '../../machinery/must.ts';
import { PatchError } from '../../machinery/patches/patch-error.ts';
import { limitNesting } from '../../machinery/text/depth.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { joinSteps, type SplitJson, splitSteps } from '../../machinery/text/split-json.ts';
import { finish } from '../../machinery/time/steps.ts';
import { hugeBytes } from '../heavy.ts';
import { ProtobufError, readProtobuf } from '../protobuf/protobuf.ts';
import { checkPatch, type Patched, type PatchForm, patching, readPatch } from '../registry/write/patching.ts';
import type { Answer, ObjectTask, Task } from './large-objects.ts';

/** Cached definitions. */
const mostDefinitions = 20;
const custom = new Map<number, readonly Kind[]>();

function kindsOf({ definition, definitionText }: ObjectTask): readonly Kind[] | undefined {
  if (definition === undefined) return builtinKinds();
  const kept = custom.get(definition);
  if (kept || definitionText === undefined) return kept;
  if (custom.size >= mostDefinitions) custom.clear();
  const kinds = customKinds(parseExact(definitionText) as CustomResourceDefinition);
  custom.set(definition, kinds);
  return kinds;
}

/** Only built-in kinds have schemas with merge keys. */
function patched({ group, version, resource, next, live }: ObjectTask, form: PatchForm): Patched {
  const kind = builtinKinds().find(
    (one) => one.group === group && one.version === version && one.resource === resource,
  );
  if (typeof next !== 'string') throw new Error('a patch is a text');
  const read = readPatch(next, form);
  checkPatch(form, read.value, 'Warn');
  return finish(patching(form, read, joined(must(live, 'the object')), kind?.schema ?? {}));
}

function answerOf(task: Task): Answer {
  if ('protobuf' in task) return made(readProtobuf(Buffer.from(task.protobuf.buffer)));
  if (task.job.type === 'patch') return made(patched(task, task.job.form));
  const kinds = kindsOf(task);
  if (!kinds) return { type: 'unknown definition' };
  const { group, version, resource, job } = task;
  const kind = kinds.find((one) => one.group === group && one.version === version && one.resource === resource);
  if (!kind) return { type: 'failed', message: `no kind serves ${resource} of ${group}/${version}` };
  const next = joined(task.next);
  const live = task.live === undefined ? undefined : joined(task.live);
  const { schema } = kind;
  switch (job.type) {
    case 'validate':
      return live ? validateChange(kind, job.subresource, next, live) : validateNew(kind, next);
    case 'track':
      return made(updateManagedFields({ ...job.write, live, next, schema }) ?? null);
    default:
      return made(applyConfiguration({ ...job.write, live, applied: next, schema }));
  }
}

const joined = (split: SplitJson) => finish(joinSteps(split)) as ApiObject;

function made(value: unknown): Answer {
  const json = JSON.stringify(value);
  return { type: 'made', value: json.length < hugeBytes ? json : finish(splitSteps(value)) };
}

function validateNew({ custom: isCustom, strategy }: Kind, next: ApiObject): Answer {
  // A custom resource is prepared before its validation as new; the fields that this clears are already clear.
  if (isCustom) strategy.prepareForCreate?.(next, { now: 0, user: { name: '' } });
  return { type: 'validated', faults: first(strategy.validate?.(next)), warnings: strategy.warnings?.(next) ?? [] };
}

function validateChange({ strategy }: Kind, subresource: string, next: ApiObject, live: ApiObject): Answer {
  const rules = subresource ? strategy.subresources?.[subresource] : strategy;
  const faults = first(rules?.validateUpdate?.(next, live));
  return { type: 'validated', faults, warnings: strategy.warnings?.(next, live) ?? [] };
}

/** Responses contain no more of them. */
const first = <T>(faults: readonly T[] = []): readonly T[] => faults.slice(0, mostFaults);

function safely(task: Task): Answer {
  try {
    return answerOf(task);
  } catch (error) {
    if (isApiError(error)) return { type: 'refused', status: error.status };
    if (error instanceof ProtobufError) return { type: 'refused', status: badRequest(error.message).status };
    if (error instanceof ApplyConflicts) return { type: 'conflicts', conflicts: error.conflicts };
    if (error instanceof PatchError) return { type: 'cannot patch', kind: error.kind, message: error.message };
    return { type: 'failed', message: String((error as Error).message) };
  }
}

limitNesting(workerData.mostNested);
parentPort?.on('message', (task: Task) => parentPort?.postMessage(safely(task)));
