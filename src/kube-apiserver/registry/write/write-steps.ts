// The steps of a write, in order, for every verb: a create, an update, a patch, an apply, or one through a subresource.
// The object was decoded before (codec.ts), or made from a live one (patch.ts, apply.ts). After the steps the write is
// on disk, or an error rejected it.

import {
  type ApiObject,
  canonicalInSteps,
  invalid,
  type Kind,
  type ObjectMeta,
  storedForm,
  storedFormInSteps,
} from '../../../api/api.ts';
import { TooMuchEffort, withEffort } from '../../../machinery/time/effort.ts';
import { admissionFaults, admit, admitFinally } from '../../admission.ts';
import type { Allocation } from '../../allocation/allocators.ts';
import { breathe, inSteps, isHuge, isLarge } from '../../heavy.ts';
import { plainError } from '../../status.ts';
import { validateElsewhere } from '../../threads/large-objects.ts';
import type { Item } from '../../watch-cache/item.ts';
import { attributesOf } from '../attributes.ts';
import { finished } from '../codec.ts';
import type { Target } from '../operation.ts';
import { keyOf } from '../target.ts';
import { verifyRequest } from '../verify-request.ts';
import { putCharged, storable, type Written } from './commit.ts';
import { trackFields } from './field-owners.ts';
import { isGone, removeNow } from './removal.ts';
import { countGeneration, dedupeOwners, fillMetadata, keepMetadata } from './system-fields.ts';
import type { WriteOptions } from './write-options.ts';

/** A write in progress. */
export interface Write {
  readonly target: Target;
  readonly options: WriteOptions;
  /** An applied configuration: its managed fields are set already, and stay even if the object is too large. */
  readonly isApplied: boolean;
  /** The object that is replaced, shared and immutable, and its item in the cache; undefined for a create. */
  readonly replaced?: { readonly live: ApiObject; readonly item: Item };
  /** Steps change it in place. */
  object: ApiObject;
  /** Whether the object names a resourceVersion after mutating admission. */
  hasVersion?: boolean;
  allocation?: Allocation | undefined;
  /** Found by validation, and sent once the allocation succeeded. */
  texts?: readonly string[];
  /** Set by the last step; undefined when another write was faster. */
  written?: Written | undefined;
}

type Step = (write: Write) => Promise<void> | void;

/** Once for each write. */
export const accepting: readonly Step[] = [
  keepSystemFields,
  ownFields, // metadata.managedFields, before admission: a webhook's changes belong to the client
  mutate,
];

/** Once for each attempt: a generated name may be taken. */
export const storing: readonly Step[] = [
  prepare, // sets the server's fields, runs the kind's strategy, orders the fields
  complete, // before validation, whose rules are those of complete objects
  validate, // large objects in another thread
  allocate, // before validating admission, which sees cluster IPs and node ports
  warn,
  admitValidated,
  store,
  placeAgain,
];

/** Attempts of a write whose allocated values other servers take first. */
const placeAttempts = 8;

/** Undefined when the name is taken, or the replaced object changed meanwhile. */
export async function runSteps(write: Write, steps: readonly Step[]): Promise<Written | undefined> {
  const { work } = write.target;
  try {
    for (const step of steps) {
      const turn = breathe(work);
      if (turn) await turn;
      const done = step(write);
      if (done) await done;
    }
    return write.written;
  } finally {
    write.allocation?.release();
    write.allocation = undefined;
  }
}

function keepSystemFields({ target, object, replaced }: Write): void {
  dedupeOwners(target, object);
  if (replaced) keepMetadata(object, replaced.live);
}

function ownFields({ target, object, replaced, options, isApplied }: Write): Promise<void> | undefined {
  return isApplied ? undefined : trackFields(target, object, replaced?.live, options.fieldManager);
}

const attributes = ({ target, object, replaced, options }: Write) =>
  attributesOf(target, replaced ? 'UPDATE' : 'CREATE', object, replaced?.live, options);

async function mutate(write: Write): Promise<void> {
  const { target, object } = write;
  await admit(target.server.admission, attributes(write));
  dedupeOwners(target, object);
  write.hasVersion = /^0*[1-9]\d*$/.test(object.metadata.resourceVersion ?? '');
}

function prepare(write: Write): Promise<void> | undefined {
  const { target, object, replaced } = write;
  const { kind, server, user, subresource, work } = target;
  const inItsOwnSteps = isHuge(work) && !kind.custom;
  const context = { now: server.clock.now(), user, verifyRequest, isLarge: inItsOwnSteps };
  // Large, and already ordered: the strategy skips them.
  const { managedFields } = object.metadata;
  if (replaced) {
    object.metadata.managedFields = undefined;
    rulesOf(kind, subresource).prepareForUpdate?.(object, replaced.live, context);
  } else {
    fillMetadata(target, object);
    kind.strategy.prepareForCreate?.(object, context);
  }
  if (inItsOwnSteps)
    return inSteps(work, canonicalInSteps(kind, object)).then(() => completeMetadata(write, managedFields));
  completeMetadata(write, managedFields);
  return undefined;
}

function completeMetadata({ target, object, replaced }: Write, managedFields: ObjectMeta['managedFields']): void {
  if (managedFields) object.metadata.managedFields = managedFields;
  else delete object.metadata.managedFields;
  if (replaced) countGeneration(target, object, replaced.live);
}

function complete({ target, object: next, replaced }: Write): void {
  if (target.kind.allocates && !target.subresource) target.server.allocators.complete({ next, live: replaced?.live });
}

/** Throws a 422 with everything that is wrong. */
async function validate(write: Write): Promise<void> {
  const { target, object, replaced } = write;
  const { kind, subresource, work, server } = target;
  const first = await admissionFaults(server.admission, attributes(write));
  const { faults: own, warnings } =
    (isLarge(work) ? undefined : validatedHere(write)) ??
    (await validateElsewhere(work, kind, subresource, object, replaced?.live));
  const faults = [...first, ...own];
  if (faults.length) throw invalid(named(kind, object), object.metadata.name ?? '', faults);
  write.texts = warnings;
  write.object = isHuge(work) ? await inSteps(work, storedFormInSteps(kind, object)) : storedForm(kind, object);
}

/** Steps of validation in one turn of the event loop: tens of milliseconds. */
const stepsOfTurn = 20_000;

/** Undefined for a small object whose definition makes it take long. */
function validatedHere(write: Write): ReturnType<typeof validated> | undefined {
  try {
    return withEffort(stepsOfTurn, () => validated(write));
  } catch (error) {
    if (error instanceof TooMuchEffort) return undefined;
    throw error;
  }
}

function validated({ target, object, replaced }: Write) {
  const { kind, subresource } = target;
  const faults = replaced
    ? rulesOf(kind, subresource).validateUpdate?.(object, replaced.live)
    : kind.strategy.validate?.(object);
  if (faults?.length) return { faults, warnings: [] };
  return { faults: [], warnings: rulesOf(kind, subresource).warnings?.(object, replaced?.live) ?? [] };
}

/** Errors of a custom resource name the kind given in the body, even if it is wrong. */
const named = (kind: Kind, object: ApiObject) => (kind.custom ? { ...kind, kind: object.kind ?? kind.kind } : kind);

/** Strategy functions for the object itself or for one of its subresources. */
const rulesOf = (kind: Kind, subresource: string) =>
  subresource ? (kind.strategy.subresources?.[subresource] ?? {}) : kind.strategy;

function warn({ target, texts = [] }: Write): void {
  target.warnings.push(...texts);
}

async function allocate(write: Write): Promise<void> {
  const { target, object: next, replaced, options } = write;
  if (!target.kind.allocates || target.subresource) return;
  write.allocation = await target.server.allocators.allocate({ next, live: replaced?.live, dryRun: options.dryRun });
}

function admitValidated(write: Write): Promise<void> {
  return admitFinally(write.target.server.admission, attributes(write));
}

async function store(write: Write): Promise<void> {
  const { target, object, replaced, options, isApplied, allocation } = write;
  const { kind, subresource } = target;
  // Kubernetes' store refuses it, after all of admission; its dry run does not ask the store.
  if (!replaced && !options.dryRun && write.hasVersion)
    throw plainError('resourceVersion should not be set on objects to be created');
  const touched = !!allocation || (!!replaced && subresource !== '' && subresource !== 'status');
  const { stored, object: final } = await storable(target, await finished(target, object, touched), isApplied);
  if (replaced?.item.holds(stored.serialized, stored.object)) {
    write.written = { object: replaced.live, item: replaced.item, created: false };
    return;
  }
  const revision = replaced?.item.revision ?? 0;
  if (replaced && !options.dryRun && isGone(kind, final, replaced.live)) {
    write.written = await removeNow(target, replaced.item, final);
    return;
  }
  const result = await putCharged(target, stored, revision, attributes(write), allocation?.writes);
  write.written = options.dryRun ? unwritten(write, final) : result;
}

/** Another server may take an allocated value at the same time: then other values are drawn. */
async function placeAgain(write: Write): Promise<void> {
  for (let attempt = 2; isContested(write); attempt++) {
    if (attempt > placeAttempts) throw await write.allocation?.contested();
    await write.allocation?.retract();
    for (const step of [allocate, admitValidated, store]) await step(write);
  }
}

/** The object itself is unchanged, so one of its allocated values caused the failure. */
function isContested({ target, object, replaced, options, allocation, written }: Write): boolean {
  if (written || options.dryRun || !allocation?.writes.length) return false;
  const { namespace = '', name = '' } = object.metadata;
  const revision = target.cache.get(keyOf(target.kind, namespace, name))?.revision ?? 0;
  return revision === (replaced?.item.revision ?? 0);
}

/** The answer of a dry run. */
function unwritten({ target, replaced }: Write, object: ApiObject): Written | undefined {
  if (replaced) {
    object.metadata.resourceVersion = replaced.live.metadata.resourceVersion;
    return { object, created: false };
  }
  const { namespace = '', name = '' } = object.metadata;
  return target.cache.get(keyOf(target.kind, namespace, name)) ? undefined : { object, created: true };
}
