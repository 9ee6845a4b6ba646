// The health of devices, as drivers reported it last. No I/O.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-health-monitoring

import type { HealthAnswer } from './dra-proto.ts';

type Health = 'Healthy' | 'Unhealthy' | 'Unknown';

export interface DeviceHealth {
  readonly health: Health;
  readonly message: string;
}

interface Reported extends DeviceHealth {
  readonly reportedMs: number;
  /** The report counts for this long. */
  readonly timeoutMs: number;
}

const defaultTimeoutMs = 30_000;
/** The API's limit. */
const longestMessage = 1024;
const unknown: DeviceHealth = { health: 'Unknown', message: '' };
const healthNames: Readonly<Record<string, Health>> = { HEALTHY: 'Healthy', UNHEALTHY: 'Unhealthy' };

export class DevicesHealth {
  /** By driver, then by pool/device. */
  readonly #drivers = new Map<string, Map<string, Reported>>();

  /** Returns the devices, as pool/device, whose health changed. Devices that a report omits count until their time-out. */
  update(driver: string, { devices }: HealthAnswer, nowMs: number): ReadonlySet<string> {
    const before = this.#drivers.get(driver) ?? new Map<string, Reported>();
    const changed = new Set<string>();
    const after = new Map<string, Reported>();
    for (const { device, health, healthCheckTimeoutSeconds: seconds, message } of devices) {
      const key = `${device?.poolName ?? ''}/${device?.deviceName ?? ''}`;
      const next: Reported = {
        health: healthNames[String(health)] ?? 'Unknown',
        message: shortened(message),
        reportedMs: nowMs,
        timeoutMs: seconds > 0 ? seconds * 1000 : defaultTimeoutMs,
      };
      const former = before.get(key);
      const isSame = former?.health === next.health && former.message === next.message;
      if (!isSame || former.timeoutMs !== next.timeoutMs) changed.add(key);
      after.set(key, next);
    }
    for (const [key, former] of before) {
      if (after.has(key)) continue;
      if (!isStale(former, nowMs)) after.set(key, former);
      else if (former.health !== 'Unknown') changed.add(key);
    }
    this.#drivers.set(driver, after);
    return changed;
  }

  /** The driver reports no more. */
  clear(driver: string): void {
    this.#drivers.delete(driver);
  }

  of(driver: string, device: string, nowMs: number): DeviceHealth {
    const found = this.#drivers.get(driver)?.get(device);
    return found && !isStale(found, nowMs) ? found : unknown;
  }
}

const isStale = ({ reportedMs, timeoutMs }: Reported, nowMs: number): boolean => nowMs - reportedMs > timeoutMs;

const shortened = (message: string): string =>
  message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 3)}...`;
