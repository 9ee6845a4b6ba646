// Configuration files of apiserver.config.k8s.io, for authentication and authorization. YAML or JSON, strictly decoded.

import { parse } from 'yaml';
import type { FieldError } from '../../api/api.ts';

/** The file cannot be used; the message has every fault of it. */
export class AccessConfigurationError extends Error {
  override readonly name = 'AccessConfigurationError';
}

/** The fields that a configuration may have, as a tree: `true` for a value, an array for a list of objects. */
export interface Shape {
  readonly [field: string]: true | Shape | readonly [Shape];
}

/** Reads a configuration of one of `versions`. Throws AccessConfigurationError. */
export function readConfiguration<T>(text: string, kind: string, versions: readonly string[], shape: Shape): T {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new AccessConfigurationError(`it is no YAML: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw new AccessConfigurationError('it is empty, or no object');
  const accepted = versions.map((version) => `apiserver.config.k8s.io/${version}`);
  const { apiVersion, kind: given } = value;
  if (given !== kind || !accepted.includes(String(apiVersion)))
    throw new AccessConfigurationError(`kind must be ${kind}, and apiVersion ${accepted.join(' or ')}`);
  const faults = [...shapeFaults(value, { apiVersion: true, kind: true, ...shape }, '')];
  if (faults.length > 0) throw new AccessConfigurationError(faults.join('; '));
  return value as T;
}

/** Throws AccessConfigurationError with every fault. */
export function refuseFaults(faults: readonly FieldError[]): void {
  if (faults.length > 0)
    throw new AccessConfigurationError(faults.map(({ field, message }) => `${field}: ${message}`).join('; '));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function* shapeFaults(value: Record<string, unknown>, shape: Shape, path: string): Generator<string> {
  for (const [field, part] of Object.entries(value)) {
    const at = path ? `${path}.${field}` : field;
    const expected = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (expected === undefined) yield `unknown field "${at}"`;
    else if (part === null || expected === true) continue;
    else if (Array.isArray(expected)) yield* listFaults(part, expected[0], at);
    else if (isObject(part)) yield* shapeFaults(part, expected as Shape, at);
    else yield `${at} must be an object`;
  }
}

function* listFaults(value: unknown, shape: Shape, path: string): Generator<string> {
  if (!Array.isArray(value)) return void (yield `${path} must be a list`);
  for (const [index, item] of value.entries()) {
    if (isObject(item)) yield* shapeFaults(item, shape, `${path}[${index}]`);
    else yield `${path}[${index}] must be an object`;
  }
}
