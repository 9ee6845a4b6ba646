// The rules that every kind has, put around those of one kind.

import { fieldsOf } from '../machinery/parsed.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import { canonical } from './decode.ts';
import { sameValue } from './fields.ts';
import type { ApiObject, Kind, KindBehaviour, MetadataCheck, ResourceInfo, Strategy, StrategyContext } from './kind.ts';
import { makingCanonical } from './object.ts';
import { schemaOfKind } from './schemas.ts';
import { isStoredForm, markStoredForm } from './stored-form.ts';
import {
  subdomainNames,
  validateAnyUpdate,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from './validation/metadata.ts';

/**
 * The kind's strategy with the metadata rules added, clients' status changes removed, and the object in canonical form.
 */
export function completeStrategy(info: ResourceInfo, behaviour: KindBehaviour): Strategy {
  const own: Strategy = behaviour.strategy ?? {};
  if (!info.verbs.includes('get')) return own;
  const rule = own.nameRule ?? subdomainNames;
  const hasStatus = info.subresources.some(({ name }) => name === 'status');
  const { emptyFields } = behaviour;
  const tidy = (object: ApiObject, { isLarge }: StrategyContext) => {
    if (!isLarge) finish(canonicalInSteps({ ...info, emptyFields }, object, false));
  };
  return {
    ...own,
    prepareForCreate(object, context) {
      if (hasStatus && !own.keepsStatusOnCreate) delete object.status;
      own.prepareForCreate?.(object, context);
      tidy(object, context);
    },
    prepareForUpdate(next, old, context) {
      if (hasStatus) keep(next, 'status', old);
      own.prepareForUpdate?.(next, old, context);
      tidy(next, context);
    },
    validate(object) {
      const errors = own.validate?.(object) ?? [];
      if (own.metadataLast && errors.length) return errors;
      return [...validateObjectMeta(object.metadata, rule, own.plainFinalizers), ...errors];
    },
    validateUpdate: (next, old) => [
      ...metadataUpdate(own, next, old),
      ...((own.validateUpdate ? own.validateUpdate(next, old) : own.validate?.(next)) ?? []),
    ],
    subresources: {
      ...Object.fromEntries(
        Object.entries(own.subresources ?? {}).map(([name, rules]) => [name, withMetadata(own, rules, tidy)]),
      ),
      ...(hasStatus && { status: statusStrategy(own, own.subresources?.status ?? {}, tidy) }),
    },
  };
}

type Tidy = (object: ApiObject, context: StrategyContext) => void;
type Subresource = NonNullable<Strategy['subresources']>[string];

const withMetadata = ({ plainFinalizers }: Strategy, rules: Subresource, tidy: Tidy): Subresource => ({
  ...rules,
  prepareForUpdate(next, old, context) {
    rules.prepareForUpdate?.(next, old, context);
    tidy(next, context);
  },
  validateUpdate: (next, old) => [
    ...metadataUpdate({ plainFinalizers }, next, old),
    ...(rules.validateUpdate?.(next, old) ?? []),
  ],
});

/** /status changes only status and metadata. */
function statusStrategy(kind: Strategy, own: Subresource, tidy: Tidy): Subresource {
  return {
    ...withMetadata(kind, own, tidy),
    prepareForUpdate(next, old, context) {
      for (const field of new Set([...Object.keys(next), ...Object.keys(old)]))
        if (field !== 'metadata' && field !== 'status') keep(next, field, old);
      own.prepareForUpdate?.(next, old, context);
      tidy(next, context);
    },
  };
}

/** Kubernetes checks the metadata of an update generically and again in each kind, and lists the faults twice. */
const metadataUpdate = (own: Strategy, next: ApiObject, old: ApiObject) => [
  ...validateAnyUpdate(next.metadata, old.metadata),
  ...(own.metadataOnUpdate ?? changeOnly).flatMap((check) =>
    check === 'change'
      ? validateObjectMetaUpdate(next.metadata, old.metadata, own.plainFinalizers)
      : validateObjectMeta(next.metadata, own.nameRule ?? subdomainNames, own.plainFinalizers),
  ),
];
const changeOnly: readonly MetadataCheck[] = ['change'];

/** Whether two objects of a kind are the same once they are stored: without empty fields. */
export function sameStored(group: string, kind: string, a: object, b: object): boolean {
  const schema = schemaOfKind(group, 'v1', kind);
  if (!schema) throw new Error(`no kind ${kind} is in the group ${group}`);
  return sameValue(canonical(schema, a), canonical(schema, b));
}

function keep(next: ApiObject, field: string, old: ApiObject): void {
  const value = fieldsOf(old)[field];
  if (value === undefined) delete fieldsOf(next)[field];
  else fieldsOf(next)[field] = value;
}

/** Brings the object of a built-in kind into canonical form, in steps if it is large. */
export function* canonicalInSteps(
  { group, version, kind, emptyFields }: Pick<Kind, 'group' | 'version' | 'kind' | 'emptyFields'>,
  object: ApiObject,
  isLarge = true,
): Steps<void> {
  const schema = schemaOfKind(group, version, kind);
  if (!schema) return;
  const asked = [schema, object, emptyFields !== undefined] as const;
  const tidied = isLarge ? yield* makingCanonical(...asked) : canonical(...asked);
  for (const field of Object.keys(object)) delete fieldsOf(object)[field];
  Object.assign(object, tidied);
  markStoredForm(object, isStoredForm(tidied));
}
