// Admission: plugins change or refuse a write after it was authorized. They are one file each, in order.

import type { ApiObject, FieldError, Kind } from '../api/api.ts';
import type { Environment } from './environment.ts';
import type { Reinvocation } from './reinvocation.ts';
import { inSpan, noAttributes } from './tracing/tracing.ts';
import type { UserInfo } from './user.ts';
import type { ObjectWrite } from './watch-cache/watch-cache.ts';

export interface AdmissionAttributes {
  readonly server: Environment;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly kind: Kind;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The name in the path: '' for a POST to a collection. */
  readonly requestName: string;
  /** The request is a PATCH. */
  readonly isPatch: boolean;
  /** The new object: `admit` may change it in place. Undefined for DELETE; the options for CONNECT. */
  object: ApiObject | undefined;
  /** Shared and immutable. */
  readonly oldObject: ApiObject | undefined;
  /** As the request gave them; null for CONNECT. */
  readonly options: Readonly<Record<string, unknown>> | null;
  readonly dryRun: boolean;
  readonly user: UserInfo;
  warn(text: string): void;
  /** Adds to the audit event of the request; `onlyWithBody`: if the event has the object of the request. */
  annotate(key: string, value: string, onlyWithBody?: boolean): void;
  /** Set by the first policy or webhook that may be called again. */
  reinvocation?: Reinvocation;
}

/** The quota charge of a write: stored together with the object, or not at all. */
export interface Charge {
  readonly writes: readonly ObjectWrite[];
  /** The write is over, whether it succeeded or not. */
  release(): void;
}

/** All throw an ApiError to refuse. `admit` runs before defaults are complete and validated, `validate` after. */
export interface AdmissionPlugin {
  readonly name: string;
  admit?(attributes: AdmissionAttributes): Promise<void> | void;
  validate?(attributes: AdmissionAttributes): Promise<void> | void;
  /** Faults that depend on rights or on other objects. The response lists them with those of validation. */
  faults?(attributes: AdmissionAttributes): Promise<readonly FieldError[]> | undefined;
  /** Called last: undefined if the write has no charge. */
  charge?(attributes: AdmissionAttributes): Promise<Charge | undefined> | undefined;
}

type Plugins = readonly AdmissionPlugin[];

/** Again after a policy or webhook changed the object: the other plugins see the result. */
export function admit(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  return inSpan(attributes.server, 'Mutating admission', noAttributes, () => admitTwice(plugins, attributes));
}

async function admitTwice(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  await admitOnce(plugins, attributes);
  const { reinvocation } = attributes;
  if (!reinvocation?.isWanted) return;
  reinvocation.isAgain = true;
  await admitOnce(plugins, attributes);
}

async function admitOnce(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  for (const plugin of plugins) {
    const answer = plugin.admit?.(attributes);
    if (answer) await answer;
  }
}

export function admitFinally(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  return inSpan(attributes.server, 'Validating admission', noAttributes, () => validateOnce(plugins, attributes));
}

async function validateOnce(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  for (const plugin of plugins) {
    const answer = plugin.validate?.(attributes);
    if (answer) await answer;
  }
}

export async function admissionFaults(plugins: Plugins, attributes: AdmissionAttributes): Promise<FieldError[]> {
  const found: FieldError[] = [];
  for (const plugin of plugins) {
    const answer = plugin.faults?.(attributes);
    if (answer) found.push(...(await answer));
  }
  return found;
}

/** Both phases, for objects that do not change in between. */
export async function admitWhole(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  await admit(plugins, attributes);
  await admitFinally(plugins, attributes);
}

/** At most one plugin charges: ResourceQuota. */
export function charge(plugins: Plugins, attributes: AdmissionAttributes): Promise<Charge | undefined> | undefined {
  for (const plugin of plugins) if (plugin.charge) return plugin.charge(attributes);
  return undefined;
}
