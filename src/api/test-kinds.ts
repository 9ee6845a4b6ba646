// Objects as the API makes them from the bodies of requests, for the tests of kinds.

import type { Schema } from '../machinery/schema.ts';
import { decodeBody } from './body.ts';
import type { ApiObject, Kind, KubeObject } from './kind.ts';
import { KindRegistry } from './registry.ts';

export const registry = new KindRegistry();
export const now = Date.UTC(2026, 0, 1);
export const context = { now, user: { name: 'tester' } };

export type AnyObject = KubeObject & { [field: string]: any };

export function create(kind: Kind, body: object): AnyObject {
  const { object } = decodeBody(JSON.stringify({ metadata: { name: 'x' }, ...body }), 'json', kind);
  kind.strategy.setDefaults?.(object);
  object.metadata = { ...object.metadata, namespace: 'n', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' };
  kind.strategy.prepareForCreate?.(object, context);
  return object as AnyObject;
}
export const faults = (kind: Kind, object: ApiObject) =>
  (kind.strategy.validate?.(object) ?? []).map(({ field, message }) => `${field}: ${message}`);

export const pods = registry.byResource('', 'v1', 'pods')!;
export const pod = (spec: object, container: object = {}) =>
  create(pods, { spec: { containers: [{ name: 'a', image: 'i', ...container }], ...spec } });

/** An object with the required fields alone, each empty, and the defaults. */
export function smallest(kind: Kind): ApiObject {
  const object = required(kind.schema) as ApiObject;
  object.metadata = { ...object.metadata, name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };
  kind.strategy.setDefaults?.(object);
  return object;
}

export function required({ type, properties = {}, required: names = [] }: Schema): unknown {
  switch (type) {
    case 'array':
      return [];
    case 'string':
      return '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    default:
      return Object.fromEntries(names.map((name) => [name, required(properties[name])]));
  }
}
