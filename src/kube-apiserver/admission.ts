// Admission: plugins change or refuse a write after it was authorized. They are one file each, in order.

import type { ApiObject, FieldError, Kind } from '../api/api.ts';
import type { Environment } from './environment.ts';
import { type AdmissionPhase, admissionMetrics } from './metrics/admission-metrics.ts';
import { refusedBy } from './refusals.ts';
import type { Reinvocation } from './reinvocation.ts';
import type { UserInfo } from './request/user.ts';
import type { Waits } from './request/waits.ts';
import { inSpan, noAttributes } from './tracing/tracing.ts';
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
  /** Sums up the time of the request that others cause. */
  readonly waits?: Waits;
}

/** The quota charge of a write: stored together with the object, or not at all. */
export interface Charge {
  readonly writes: readonly ObjectWrite[];
  /** The 409 of a write whose charge conflicts with other writes again and again. */
  conflict(): Error;
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

const admitOnce = (plugins: Plugins, attributes: AdmissionAttributes) =>
  inPhase('admit', plugins, attributes, (plugin) => plugin.admit?.(attributes));

export function admitFinally(plugins: Plugins, attributes: AdmissionAttributes): Promise<void> {
  return inSpan(attributes.server, 'Validating admission', noAttributes, () =>
    inPhase('validate', plugins, attributes, (plugin) => plugin.validate?.(attributes)),
  );
}

async function inPhase(
  phase: AdmissionPhase,
  plugins: Plugins,
  attributes: AdmissionAttributes,
  call: (plugin: AdmissionPlugin) => Promise<void> | void,
): Promise<void> {
  const { server, operation } = attributes;
  const metrics = admissionMetrics(server);
  const began = server.clock.monotonic();
  let isRejected = true;
  // The end of one plugin is the beginning of the next.
  let from = began;
  let running: AdmissionPlugin | undefined;
  const ended = (plugin: AdmissionPlugin, rejected: boolean) => {
    const now = server.clock.monotonic();
    metrics.plugin(plugin, operation, phase, now - from, rejected);
    from = now;
  };
  try {
    for (const plugin of plugins) {
      if (!plugin[phase]) continue;
      running = plugin;
      const answer = call(plugin);
      if (answer) await answer;
      ended(plugin, false);
    }
    running = undefined;
    isRejected = false;
  } catch (error) {
    if (running) refusedBy(error, running.name, attributes.name);
    throw error;
  } finally {
    if (running) ended(running, true);
    metrics.step(operation, phase, from - began, isRejected);
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
  for (const plugin of plugins) if (plugin.charge) return charged(plugin, attributes);
  return undefined;
}

function charged(plugin: AdmissionPlugin, attributes: AdmissionAttributes): Promise<Charge | undefined> | undefined {
  const noted = (error: unknown): never => {
    refusedBy(error, plugin.name, attributes.name);
    throw error;
  };
  try {
    return plugin.charge?.(attributes)?.catch(noted);
  } catch (error) {
    return noted(error);
  }
}
