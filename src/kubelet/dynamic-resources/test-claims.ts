// For tests of dynamic resources: the manager of a node with drivers in this process, over an API server in memory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { vi } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import { createClient } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { DynamicResources } from './dynamic-resources.ts';
import { startTestDraDriver, type TestDraDriver, type TestDraDriverOptions } from './test-dra-driver.ts';

export const driverName = 'test.dra';
export const eventually = (condition: () => void) => vi.waitFor(condition, { timeout: 15_000 });

export interface ClaimOptions {
  readonly users?: readonly string[];
  readonly drivers?: readonly string[];
  readonly owner?: string;
  readonly isAllocated?: boolean;
}

export class TestClaims {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'coracle-dra-'));
  readonly clock = new VirtualClock();
  readonly drivers: TestDraDriver[] = [];
  /** Field selectors of deleted slices. */
  readonly wiped: string[] = [];
  readonly woken: string[] = [];
  active: Pod[] = [];
  metrics = new Metrics();
  resources!: DynamicResources;
  readonly #client: ReturnType<typeof createClient>;
  #end = async () => {};

  constructor() {
    const server = new FakeServer();
    server.before = ({ method, query }) => {
      if (method === 'DELETE') this.wiped.push(String(query?.fieldSelector));
    };
    this.#client = createClient(server);
  }

  /** A kubelet without the memory of the one before. */
  async boot(): Promise<void> {
    this.metrics = new Metrics();
    const resources = new DynamicResources({
      ...{ client: this.#client, clock: this.clock, logger: silentLogger, metrics: this.metrics },
      ...{ nodeName: 'n', rootDirectory: this.directory },
      activePods: () => this.active,
      wake: (uid) => void this.woken.push(uid),
    });
    await resources.start();
    const stopped = new AbortController();
    const running = resources.run(stopped.signal);
    this.resources = resources;
    this.#end = () => {
      stopped.abort();
      return running;
    };
  }

  end(): Promise<void> {
    return this.#end();
  }

  async dispose(): Promise<void> {
    await this.#end();
    for (const driver of this.drivers) driver.stop();
    rmSync(this.directory, { recursive: true });
  }

  socketOf(name: string): string {
    return path.join(this.directory, `${name}.sock`);
  }

  async startDriver(options: Partial<TestDraDriverOptions> = {}): Promise<TestDraDriver> {
    const { name = driverName, services = ['v1.DRAPlugin'] } = options;
    const socket = this.socketOf(name);
    const driver = await startTestDraDriver({ name, services, socket, ...options });
    this.drivers.push(driver);
    await this.resources.handler.register(name, socket, services);
    return driver;
  }

  async claim(name: string, options: ClaimOptions = {}): Promise<void> {
    const { users = ['u'], owner, isAllocated = true, drivers = [driverName] } = options;
    const results = drivers.map((driver) => ({ driver, pool: 'pool', device: 'd', request: 'r' }));
    await this.#client.create('resourceclaims', {
      metadata: {
        ...{ name, namespace: 'default', uid: `claim-${name}` },
        ...(owner && { ownerReferences: [{ kind: 'Pod', apiVersion: 'v1', name: 'p', uid: owner, controller: true }] }),
      },
      spec: {},
      status: {
        ...(isAllocated && { allocation: { devices: { results } } }),
        reservedFor: users.map((uid) => ({ resource: 'pods', name: uid, uid })),
      },
    } as never);
  }

  prepare(pod: Pod, signal = new AbortController().signal) {
    this.active.push(pod);
    return this.resources.prepare(pod, signal);
  }

  cdi(pod: Pod, index = 0) {
    return this.resources.cdiDevices(pod, pod.spec.containers[index]);
  }
}

type Use = { readonly name: string; readonly request?: string };
export const container = (name: string, ...claims: Use[]): Container => ({ name, resources: { claims } }) as Container;

/** A pod whose entries have the names of the claims. */
export function podOf(
  uid: string,
  claims: string[],
  containers = [container('c', ...claims.map((name) => ({ name })))],
): Pod {
  return {
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers, resourceClaims: claims.map((name) => ({ name, resourceClaimName: name })) },
    status: {},
  } as unknown as Pod;
}
