// The CSI drivers that are registered at this node.

import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { PluginHandler } from '../plugins/plugin-registry.ts';
import type { NodeInfoAnswer } from './csi-proto.ts';
import { DriverOperation, type ObserveCall } from './driver-client.ts';

type Version = readonly number[];

interface Driver {
  /** As the driver names it. */
  readonly endpoint: string;
  readonly version: Version;
}

/** Writes a driver's part of the Node and CSINode objects. */
export interface NodeObjects {
  install(driver: string, info: NodeInfoAnswer): Promise<void>;
  uninstall(driver: string): Promise<void>;
}

interface DriverTools {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly rootDirectory: string;
  readonly objects: NodeObjects;
  /** Called when a driver was registered or removed. */
  readonly changed: (driver: string) => void;
}

export class CsiDrivers implements PluginHandler {
  readonly #tools: DriverTools;
  readonly #drivers = new Map<string, Driver>();
  readonly #stopped = new AbortController();

  constructor(tools: DriverTools) {
    this.#tools = tools;
  }

  has(name: string): boolean {
    return this.#drivers.has(name);
  }

  /** Begins an operation. Throws an Error if there is no such driver. */
  operation(name: string): DriverOperation {
    if (!name) throw new Error('driver name is empty');
    const driver = this.#drivers.get(name);
    if (!driver) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return this.#operationAt(name, driver.endpoint);
  }

  #operationAt(name: string, endpoint: string): DriverOperation {
    const { clock, rootDirectory, metrics } = this.#tools;
    const histogram = metrics.histogram(
      'csi_operations_seconds',
      'Container Storage Interface operation duration with gRPC error code status total',
      [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600],
    );
    const observe: ObserveCall = (method, code, seconds) =>
      histogram.observe(seconds, {
        ...{ driver_name: name, method_name: `/csi.v1.Node/${method}`, grpc_status_code: code, migrated: 'false' },
      });
    return new DriverOperation(endpoint, { clock, rootDirectory, signal: this.#stopped.signal, observe });
  }

  validate(name: string, endpoint: string, versions: readonly string[]): void {
    try {
      this.#usableVersion('ValidatePlugin', name, versions);
    } catch (error) {
      throw new Error(`validation failed for CSI Driver ${name} at endpoint ${endpoint}: ${(error as Error).message}`);
    }
  }

  async register(name: string, endpoint: string, versions: readonly string[]): Promise<void> {
    const version = this.#usableVersion('RegisterPlugin', name, versions);
    const info = await this.#operationAt(name, endpoint).info();
    await this.#tools.objects.install(name, info);
    this.#drivers.set(name, { endpoint, version });
    this.#tools.changed(name);
  }

  async deregister(name: string): Promise<void> {
    this.#drivers.delete(name);
    this.#tools.changed(name);
    await this.#tools.objects.uninstall(name);
  }

  /** Asks the driver again how many volumes the node can have. */
  async refresh(name: string): Promise<void> {
    await this.#tools.objects.install(name, await this.operation(name).info());
  }

  /** Ends the calls in progress. */
  stop(): void {
    this.#stopped.abort();
  }

  #usableVersion(caller: string, name: string, versions: readonly string[]): Version {
    const fail = (why: string): never => {
      throw new Error(`kubernetes.io/csi: ${caller} for CSI driver ${JSON.stringify(name)} failed. ${why}`);
    };
    if (versions.length === 0) return fail('Plugin returned an empty list for supported versions');
    const highest = highestVersion(versions);
    if (typeof highest === 'string')
      return fail(`None of the versions specified ${quotedList(versions)} are supported. err=${highest}`);
    const existing = this.#drivers.get(name);
    if (existing && compareVersions(existing.version, highest) >= 0)
      return fail(
        `Another driver with the same name is already registered with a higher supported version: "${existing.version.join('.')}"`,
      );
    return highest;
  }
}

const quotedList = (texts: readonly string[]) => `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;

const versionPattern = /^\s*v?(0|[1-9]\d{0,8})((?:\.\d{1,9})+)/;

/** The highest version below 2; a text says why there is none. */
export function highestVersion(versions: readonly string[]): Version | string {
  let highest: Version | undefined;
  let fault = '<nil>';
  for (const text of versions) {
    const parts = versionPattern.exec(text);
    if (!parts) {
      fault = `could not parse ${JSON.stringify(text)} as version`;
      continue;
    }
    const version = `${parts[1]}${parts[2]}`.split('.').map(Number);
    if (version[0] <= 1 && (!highest || compareVersions(highest, version) < 0)) highest = version;
  }
  if (!highest)
    return `could not find a highest supported version from versions (${quotedList(versions)}) reported: ${fault}`;
  return highest[0] === 1 ? highest : `highest supported version reported is ${highest.join('.')}, must be v1.x`;
}

function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
