// For tests: Kubernetes' faults for an object with one changed field.

import { must } from '../../machinery/must.ts';
import { decodeBody } from '../body.ts';
import type { ApiObject, Kind } from '../kind.ts';
import { KindRegistry } from '../registry.ts';

/** The field, the value it gets (undefined: none), and the faults, each as `field: message`. */
export type FaultRow = [path: string, value: unknown, faults: string[]];

const registry = new KindRegistry();
const context = { now: Date.UTC(2026, 0, 1), user: { name: 'tester' } };

const text = ({ field, message }: { field: string; message: string }) => `${field}: ${message}`;

function changed(base: object, path: string, value: unknown): any {
  const object = structuredClone(base) as any;
  const steps = path.match(/[^.[\]]+/g) ?? [];
  let at = object;
  for (const step of steps.slice(0, -1)) at = at[step] ??= {};
  const last = steps.at(-1);
  if (last === undefined) return object;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return object;
}

function decoded(kind: Kind, body: object): ApiObject {
  const { object } = decodeBody(JSON.stringify({ metadata: { name: 'x' }, ...body }), 'json', kind);
  object.metadata = { ...object.metadata, namespace: kind.namespaced ? 'n' : undefined, uid: 'u' } as any;
  kind.strategy.setDefaults?.(object);
  return object;
}

function created(kind: Kind, body: object): ApiObject {
  const object = decoded(kind, body);
  kind.strategy.prepareForCreate?.(object, context);
  return object;
}

/** Finds the faults of `base`, of a kind such as `apps/v1/deployments`, with one field changed, on create or update. */
export function faultFinder(resource: string, base: object) {
  const parts = resource.split('/');
  const [version, name] = parts.slice(-2);
  const kind = must(registry.byResource(parts.length > 2 ? parts[0] : '', version, name), resource);
  return {
    onCreate: (path: string, value: unknown): string[] =>
      (kind.strategy.validate?.(created(kind, changed(base, path, value))) ?? []).map(text),
    onUpdate(path: string, value: unknown): string[] {
      const old = created(kind, base);
      const next = changed(old, path, value);
      kind.strategy.setDefaults?.(next);
      kind.strategy.prepareForUpdate?.(next, old, context);
      return (kind.strategy.validateUpdate?.(next, old) ?? []).map(text);
    },
  };
}
