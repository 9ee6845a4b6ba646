// Configuration files for authentication, authorization and admission. YAML or JSON, strictly decoded.

import { parse } from 'yaml';
import type { FieldError } from '../../api/api.ts';
import { isObject, type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';

/** The file cannot be used; the message has every fault of it. */
export class AccessConfigurationError extends Error {
  override readonly name = 'AccessConfigurationError';
}

/** Reads a configuration of one of `versions` of apiserver.config.k8s.io. Throws AccessConfigurationError. */
export function readConfiguration<T>(text: string, kind: string, versions: readonly string[], shape: Shape): T {
  const accepted = versions.map((version) => `apiserver.config.k8s.io/${version}`);
  return readVersioned(text, [{ kind, versions: accepted }], shape);
}

interface Accepted {
  readonly kind: string;
  /** With their groups. */
  readonly versions: readonly string[];
}

/** Reads a configuration of any group. Throws AccessConfigurationError. */
export function readVersioned<T>(text: string, accepted: readonly Accepted[], shape: Shape): T {
  const value = parseObject(text);
  const { apiVersion, kind } = value;
  if (!accepted.some((one) => one.kind === kind && one.versions.includes(apiVersion as string)))
    throw new AccessConfigurationError(
      accepted.map((one) => `kind must be ${one.kind}, and apiVersion ${one.versions.join(' or ')}`).join('; or '),
    );
  refuseUnshapely(value, { apiVersion: 'string', kind: 'string', ...shape });
  return value as T;
}

/** An object in YAML or JSON. Throws AccessConfigurationError. */
export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    throw new AccessConfigurationError(`it is no YAML: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw new AccessConfigurationError('it is empty, or no object');
  return withoutNulls(value) as Record<string, unknown>;
}

/** Throws AccessConfigurationError with every fault. */
export function refuseUnshapely(value: Record<string, unknown>, shape: Shape): void {
  const faults = [...shapeFaults(value, shape)];
  if (faults.length > 0) throw new AccessConfigurationError(faults.join('; '));
}

/** Throws AccessConfigurationError with every fault. */
export function refuseFaults(faults: readonly FieldError[]): void {
  if (faults.length > 0)
    throw new AccessConfigurationError(faults.map(({ field, message }) => `${field}: ${message}`).join('; '));
}
