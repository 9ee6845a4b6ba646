// labelSelector and fieldSelector of a list or a watch.

import { type ApiObject, badRequest, type Kind } from '../../../api/api.ts';
import { type FieldSelector, fieldSelectorSteps } from '../../../machinery/selectors/field-selector.ts';
import {
  type LabelSelector,
  labelSelectorSteps,
  selectEverything,
} from '../../../machinery/selectors/label-selector.ts';
import { SelectorError } from '../../../machinery/selectors/label-text.ts';
import { finishInPauses, type Steps } from '../../../machinery/time/steps.ts';
import type { Item } from '../../watch-cache/item.ts';
import type { Scope } from '../../watch-cache/resource-cache.ts';
import { served } from '../codec.ts';
import type { Place } from '../operation.ts';
import { keyOf } from '../target.ts';
import type { ListOptions } from './list-options.ts';

export interface Selection {
  /** True when every object of the namespace is selected. */
  readonly everything: boolean;
  matches(item: Item): boolean;
  /** The narrowest set of changes that a watcher with this selection must see. */
  readonly scope: Scope;
  /** The only key that can match, when there is one. */
  readonly key?: string;
}

export async function selectionOf(
  { kind, namespace, name, server }: Omit<Place, 'cache'>,
  { labelSelector, fieldSelector }: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): Promise<Selection> {
  // Without its requirements: a watch holds it for long.
  const { everything, matches: labelsMatch } = labelSelector
    ? await parsed(labelSelectorSteps(labelSelector), server)
    : selectEverything;
  const labels = { everything, matches: labelsMatch };
  const fields = fieldSelector ? await parsed(fieldSelectorSteps(fieldSelector), server) : undefined;
  if (fields) checkFields(kind, fields);
  const onlyName = name || fields?.exact('metadata.name');
  const onlyNamespace = namespace || (kind.namespaced ? fields?.exact('metadata.namespace') : undefined);
  const key = onlyName && (onlyNamespace || !kind.namespaced) ? keyOf(kind, onlyNamespace ?? '', onlyName) : undefined;
  const hasFields = fields && !fields.everything;
  const sought = (kind.literalFields ?? []).flatMap((field) => fields?.exact(field) || []);
  return {
    everything: labels.everything && !hasFields && !onlyName,
    matches: (item) => matches(kind, item, labels, hasFields ? fields : undefined, sought, name),
    scope: scopeOf(kind, key, namespace, fields),
    ...(key && { key }),
  };
}

function matches(
  kind: Kind,
  item: Item,
  labels: Pick<LabelSelector, 'everything' | 'matches'>,
  fields: FieldSelector | undefined,
  sought: readonly string[],
  name: string,
): boolean {
  for (const value of sought) if (!item.mayHold(value)) return false;
  const { metadata } = item.object;
  if (name && metadata.name !== name) return false;
  if (!labels.everything && !labels.matches(metadata.labels ?? {})) return false;
  return !fields || fields.matches((field) => fieldValue(kind, served(kind, item), field));
}

function scopeOf(
  { watchedBy }: Kind,
  key: string | undefined,
  namespace: string,
  fields: FieldSelector | undefined,
): Scope {
  if (key) return { by: 'key', value: key };
  const value = watchedBy && fields?.exact(watchedBy);
  if (value !== undefined) return { by: 'field', value };
  return namespace ? { by: 'namespace', value: namespace } : { by: 'all' };
}

const common = ['metadata.name', 'metadata.namespace'];

function fieldValue(kind: Kind, object: ApiObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name ?? '';
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  return kind.selectableFields[field]?.(object) ?? '';
}

/** Kinds with additional selectable fields reject other fields with another message. */
function checkFields(kind: Kind, fields: FieldSelector): void {
  const own = Object.keys(kind.selectableFields);
  for (const { field } of fields.requirements) {
    if (own.includes(field) || field === 'metadata.name') continue;
    if (field === 'metadata.namespace' && (kind.namespaced || !own.length)) continue;
    if (own.length || kind.custom) throw badRequest(`field label not supported: ${field}`);
    const supported = [...common, ...own].map((name) => JSON.stringify(name)).join(', ');
    throw badRequest(`"${field}" is not a known field selector: only ${supported}`);
  }
}

async function parsed<T>(steps: Steps<T>, { clock }: Place['server']): Promise<T> {
  try {
    return await finishInPauses(steps, clock);
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}
