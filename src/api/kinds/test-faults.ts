// For tests: Kubernetes' faults for an object with one changed field.

import { must } from '../../machinery/must.ts';
import { fieldsIn, fieldsOf } from '../../machinery/parsed.ts';
import { decodeBody } from '../body.ts';
import type { ApiObject, Kind } from '../kind.ts';
import { KindRegistry } from '../registry.ts';

/** The field, the value it gets (undefined: none), and the faults, each as `field: message`. */
export type FaultRow = [path: string, value: unknown, faults: string[]];

const registry = new KindRegistry();
const context = { now: Date.UTC(2026, 0, 1), user: { name: 'tester' } };

const text = ({ field, message }: { field: string; message: string }) => `${field}: ${message}`;

function changed(base: object, path: string, value: unknown): object {
  const object = structuredClone(base);
  const steps = path.match(/[^.[\]]+/g) ?? [];
  let at = fieldsOf(object);
  for (const step of steps.slice(0, -1)) at = (at[step] ??= {}) as Record<string, unknown>;
  const last = steps.at(-1);
  if (last === undefined) return object;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return object;
}

function decoded(kind: Kind, body: object): ApiObject {
  const { object } = decodeBody(JSON.stringify({ metadata: { name: 'x' }, ...body }), 'json', kind);
  object.metadata = { ...object.metadata, namespace: kind.namespaced ? 'n' : undefined, uid: 'u' };
  kind.strategy.setDefaults?.(object);
  return object;
}

function created(kind: Kind, body: object): ApiObject {
  const object = decoded(kind, body);
  kind.strategy.prepareForCreate?.(object, context);
  return object;
}

/** With the status that the system would have written since. */
const existing = (kind: Kind, base: object): ApiObject => {
  const object = created(kind, base);
  const { status } = base as { status?: object };
  return status ? { ...object, status: { ...fieldsIn(object.status), ...status } } : object;
};

/**
 * Finds the faults of `base`, of a kind such as `apps/v1/deployments`, with one field changed, on create, or on update
 * of the object or of its `subresource`.
 */
export function faultFinder(resource: string, base: object, subresource?: string) {
  const parts = resource.split('/');
  const [version, name] = parts.slice(-2);
  const kind = must(registry.byResource(parts.length > 2 ? parts[0] : '', version, name), resource);
  const rules = subresource ? must(kind.strategy.subresources?.[subresource], subresource) : kind.strategy;
  return {
    onCreate: (path: string, value: unknown): string[] =>
      (kind.strategy.validate?.(created(kind, changed(base, path, value))) ?? []).map(text),
    onUpdate(path: string, value: unknown): string[] {
      const old = existing(kind, base);
      const next = decodeBody(JSON.stringify(changed(old, path, value)), 'json', kind).object;
      kind.strategy.setDefaults?.(next);
      rules.prepareForUpdate?.(next, old, context);
      return (rules.validateUpdate?.(next, old) ?? []).map(text);
    },
    onWarn(path: string, value: unknown): readonly string[] {
      return kind.strategy.warnings?.(created(kind, changed(base, path, value))) ?? [];
    },
  };
}
