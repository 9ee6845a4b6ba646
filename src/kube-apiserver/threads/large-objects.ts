// Processes large objects in another thread: validation and field ownership visit every field, so that one object may
// take a second. `api` and `machinery` are pure, so the thread only needs the objects.

import { ApiError, type ApiObject, type FieldError, internalError, type Kind, tooLarge } from '../../api/api.ts';
import {
  type ApplyConflict,
  ApplyConflicts,
  type ManagedFieldsEntry,
  type Write,
} from '../../machinery/fields/managed-fields.ts';
import { PatchError } from '../../machinery/patches/patch-error.ts';
import { joinSteps, lengthOf, type SplitJson, splitSteps } from '../../machinery/text/split-json.ts';
import { finishInTurns } from '../../machinery/time/steps.ts';
import { inSteps, isHuge, type Work } from '../heavy.ts';
import type { Patched, PatchForm } from '../registry/write/patching.ts';
import { TaskThread } from './task-thread.ts';

/** A write without its JSON parts and the parts that the thread has. */
type Ownership = Omit<Write, 'live' | 'schema'>;

type Job =
  | { readonly type: 'validate'; readonly subresource: string }
  | { readonly type: 'track'; readonly write: Ownership }
  | { readonly type: 'apply'; readonly write: Ownership & { readonly force: boolean } }
  | { readonly type: 'patch'; readonly form: PatchForm };

export type Task = ObjectTask | { readonly protobuf: Uint8Array };

export interface ObjectTask {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly job: Job;
  /** The new object, the applied one, or the text of the patch, and the object that it replaces. */
  readonly next: SplitJson;
  readonly live?: SplitJson;
  /** The definition of a custom resource, and its JSON if the thread lacks it. */
  readonly definition?: number;
  readonly definitionText?: string;
}

export type Answer =
  | { readonly type: 'validated'; readonly faults: readonly FieldError[]; readonly warnings: readonly string[] }
  | { readonly type: 'made'; readonly value: SplitJson }
  /** The definition must be sent along. */
  | { readonly type: 'unknown definition' }
  | { readonly type: 'refused'; readonly status: ApiError['status'] }
  | { readonly type: 'conflicts'; readonly conflicts: readonly ApplyConflict[] }
  | { readonly type: 'cannot patch'; readonly kind: PatchError['kind']; readonly message: string }
  | { readonly type: 'failed'; readonly message: string };

const thread = new TaskThread<Task, Answer>('object-worker', { megabytes: 112, idleMs: 10_000 });

const definitions = new WeakMap<object, number>();
let lastDefinition = 0;

function numberOf(definition: object): number {
  let number = definitions.get(definition);
  if (number === undefined) definitions.set(definition, (number = ++lastDefinition));
  return number;
}

/** The faults and warnings of `next`; `live` is undefined for a new object. */
export async function validateElsewhere(
  work: Work,
  kind: Kind,
  subresource: string,
  next: ApiObject,
  live: ApiObject | undefined,
): Promise<Extract<Answer, { type: 'validated' }>> {
  const answer = await answerTo(work, kind, { type: 'validate', subresource }, next, live);
  return answer.type === 'validated' ? answer : fail(answer);
}

type Large = Write & { readonly live: ApiObject | undefined };

/** As `updatingManagedFields`. */
export async function trackElsewhere(
  work: Work,
  kind: Kind,
  { live, next, schema: _, ...write }: Large & { readonly next: ApiObject },
): Promise<ManagedFieldsEntry[] | undefined> {
  const entries = await made<ManagedFieldsEntry[] | null>(
    await answerTo(work, kind, { type: 'track', write }, next, live),
  );
  return entries ?? undefined;
}

/** As `applyingConfiguration`. */
export async function applyElsewhere(
  work: Work,
  kind: Kind,
  { live, applied, schema: _, ...write }: Large & { readonly applied: ApiObject; readonly force: boolean },
): Promise<ApiObject> {
  const { object } = await made<{ object: ApiObject }>(
    await answerTo(work, kind, { type: 'apply', write }, applied, live),
  );
  return object;
}

/** As `readProtobuf`. */
export async function readProtobufElsewhere(bytes: Uint8Array): Promise<object> {
  // A copy: a part of a buffer would be sent with the whole buffer.
  return made<object>(await thread.run({ protobuf: new Uint8Array(bytes) }));
}

/** A result beyond this size is refused here: it can never be stored, and takes long to decode. */
const mostPatchedBytes = 6 << 20;

/** As `patching`, of a patch that is still a text. */
export async function patchElsewhere(
  work: Work,
  { group, version, resource }: Kind,
  form: PatchForm,
  text: string,
  live: ApiObject,
): Promise<Patched> {
  const job = { type: 'patch', form } as const;
  const answer = await thread.run({ group, version, resource, job, next: text, live: await split(work, live) });
  if (answer.type === 'made' && lengthOf(answer.value) > mostPatchedBytes)
    throw tooLarge('Request entity too large: the patch makes an object that is too large');
  return made<Patched>(answer);
}

async function answerTo(
  work: Work,
  kind: Kind,
  job: Job,
  next: ApiObject,
  live: ApiObject | undefined,
): Promise<Answer> {
  const { group, version, resource, definition } = kind;
  const task: ObjectTask = {
    ...{ group, version, resource, job },
    next: await split(work, next),
    ...(live && { live: await split(work, live) }),
    ...(definition && { definition: numberOf(definition) }),
  };
  const answer = await thread.run(task);
  if (answer.type !== 'unknown definition') return answer;
  return thread.run({ ...task, definitionText: JSON.stringify(definition) });
}

const split = async (work: Work, object: ApiObject): Promise<SplitJson> =>
  isHuge(work) ? inSteps(work, splitSteps(object)) : JSON.stringify(object);

const made = async <T>(answer: Answer): Promise<T> =>
  answer.type === 'made' ? ((await finishInTurns(joinSteps(answer.value))) as T) : fail(answer);

function fail(answer: Answer): never {
  switch (answer.type) {
    case 'refused':
      throw new ApiError(answer.status);
    case 'conflicts':
      throw new ApplyConflicts(answer.conflicts);
    case 'cannot patch':
      throw new PatchError(answer.kind, answer.message);
    default:
      throw internalError('message' in answer ? answer.message : `unexpected answer: ${answer.type}`);
  }
}
