// Waits until the devices of a pod are attached to its node.

import type { BindTools } from '../framework.ts';
import {
  DeviceBindingFailed,
  hasBindingConditions,
  isBindingOverdue,
  isReadyForBinding,
} from './binding-conditions.ts';
import type { ResourceClaim } from './claim-types.ts';
import type { Devices } from './devices.ts';

const lookEveryMs = 5_000;
const waitBuckets = Array.from({ length: 14 }, (_, i) => 0.1 * 2 ** i);

/** Time is up. */
class DeviceBindingTimeout extends Error {}

/** Rejects when a condition of failure is true, or after the timeout. */
export async function devicesBound(
  claims: readonly ResourceClaim[],
  devices: Devices,
  tools: BindTools,
  { timeoutMs, node, profile }: { readonly timeoutMs: number; readonly node: string; readonly profile: string },
): Promise<void> {
  if (!claims.some(hasBindingConditions)) return;
  tools.event('Normal', 'BindingConditionsPending', `waiting for binding conditions for device on node ${node}`);
  const startMs = tools.clock.monotonic();
  let state = 'success';
  try {
    await untilReady(claims, devices, tools, timeoutMs);
  } catch (error) {
    state =
      error instanceof DeviceBindingTimeout ? 'timeout' : error instanceof DeviceBindingFailed ? 'failed' : 'error';
    throw error;
  } finally {
    measure(claims, tools, { profile, status: state }, (tools.clock.monotonic() - startMs) / 1000);
  }
}

function measure(
  claims: readonly ResourceClaim[],
  { metrics }: BindTools,
  labels: { profile: string; status: string },
  seconds: number,
): void {
  const waits = metrics.histogram(
    'scheduler_dra_bindingconditions_wait_duration_seconds',
    'Time in seconds spent waiting for BindingConditions to be satisfied during PreBind.',
    waitBuckets,
  );
  const allocations = metrics.counter(
    'scheduler_dra_bindingconditions_allocations_total',
    'Number of allocations using devices with BindingConditions, counted per driver per scheduling attempt',
  );
  for (const { driver, bindingConditions } of claims.flatMap((c) => c.status?.allocation?.devices.results ?? [])) {
    waits.observe(seconds, { ...labels, driver });
    if (bindingConditions?.length) allocations.add(1, { ...labels, driver });
  }
}

/** Looks at once, after each change, and every five seconds. */
function untilReady(claims: readonly ResourceClaim[], devices: Devices, tools: BindTools, timeoutMs: number) {
  const { clock, signal } = tools;
  const endMs = clock.monotonic() + timeoutMs;
  return new Promise<void>((resolve, reject) => {
    let timer = clock.after(0, () => {});
    const end = (settle: () => void) => {
      timer.cancel();
      stopListening();
      signal.removeEventListener('abort', abort);
      settle();
    };
    const abort = () => end(() => reject(new Error('context canceled')));
    const look = () => {
      timer.cancel();
      try {
        if (areReady(claims, devices, clock.now(), timeoutMs)) return end(resolve);
        if (clock.monotonic() >= endMs)
          throw new DeviceBindingTimeout('device binding timeout: context deadline exceeded');
      } catch (error) {
        return end(() => reject(error as Error));
      }
      timer = clock.after(Math.min(lookEveryMs, endMs - clock.monotonic()), look, { background: true });
    };
    let isPlanned = false;
    const plan = () => {
      if (isPlanned) return;
      isPlanned = true;
      queueMicrotask(() => {
        isPlanned = false;
        look();
      });
    };
    let isOver = false;
    const stopWatching = devices.onChange(() => !isOver && plan());
    const stopListening = () => {
      isOver = true;
      stopWatching();
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else plan();
  });
}

function areReady(claims: readonly ResourceClaim[], devices: Devices, nowMs: number, timeoutMs: number): boolean {
  for (const { metadata } of claims) {
    const claim = devices.claim(metadata.namespace ?? '', metadata.name);
    if (!claim) throw new Error(`could not find ResourceClaim "${metadata.namespace}/${metadata.name}"`);
    if (isReadyForBinding(claim)) continue;
    if (isBindingOverdue(claim, nowMs, timeoutMs))
      throw new DeviceBindingTimeout(`device binding timeout: claim=${metadata.name}`);
    return false;
  }
  return true;
}
