// The drivers of dynamic resources that are registered on this node, and the calls to them.

import type { Logger } from '../../machinery/logger.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { onNode } from '../plugins/kubelet-directory.ts';
import type { PluginHandler } from '../plugins/plugin-registry.ts';
import { followConnection, type Message, RpcClient, RpcError, type Service } from '../plugins/rpc.ts';
import { type DriverClaim, draServices, type HealthAnswer, healthService } from './dra-proto.ts';

/** Half of the kubelet's retry period in Kubernetes. */
const callTimeoutMs = 45_000;
const healthRetryMs = 5_000;
/** From 0.1 s to 40 s in 15 steps of one factor, as Kubernetes has them. */
export const draBuckets: readonly number[] = Array.from({ length: 15 }, (_, step) => 0.1 * 400 ** (step / 14));

interface Plugin {
  readonly endpoint: string;
  readonly service: Service;
  readonly ended: AbortController;
  isConnected: boolean;
}

interface DriverTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly rootDirectory: string;
  /** The driver can be called again. */
  usable(driver: string): void;
  /** None of the driver's plugins is connected. */
  unusable(driver: string): void;
  /** The complete health of a driver's devices; undefined: it does not report any more. */
  health(driver: string, answer: HealthAnswer | undefined): void;
}

export class DraDrivers implements PluginHandler {
  readonly #tools: DriverTools;
  /** In the order of their registration: a rolling update has two plugins of one driver for some time. */
  readonly #plugins = new Map<string, readonly Plugin[]>();
  readonly #stopped = new AbortController();

  constructor(tools: DriverTools) {
    this.#tools = tools;
  }

  validate(driver: string, endpoint: string, services: readonly string[]): void {
    chosenService(driver, endpoint, services);
  }

  async register(driver: string, endpoint: string, services: readonly string[]): Promise<void> {
    const service = chosenService(driver, endpoint, services);
    const plugins = this.#plugins.get(driver) ?? [];
    if (plugins.some((plugin) => plugin.endpoint === endpoint))
      throw new Error(`endpoint ${endpoint} already registered for DRA driver plugin ${driver}`);
    const plugin: Plugin = { endpoint, service, ended: new AbortController(), isConnected: false };
    this.#plugins.set(driver, [...plugins, plugin]);
    this.#sync(driver);
    void this.#follow(driver, plugin);
  }

  async deregister(driver: string, endpoint: string): Promise<void> {
    const plugins = this.#plugins.get(driver) ?? [];
    for (const plugin of plugins) if (plugin.endpoint === endpoint) plugin.ended.abort();
    const others = plugins.filter((plugin) => plugin.endpoint !== endpoint);
    if (others.length > 0) this.#plugins.set(driver, others);
    else this.#plugins.delete(driver);
    this.#sync(driver);
  }

  stop(): void {
    this.#stopped.abort();
    for (const plugins of this.#plugins.values()) for (const { ended } of plugins) ended.abort();
  }

  /** Throws an Error if the driver is not registered. */
  require(driver: string): void {
    this.#plugin(driver);
  }

  /** The newest plugin that is connected, otherwise the newest. */
  #plugin(driver: string): Plugin {
    if (driver === '') throw new Error('DRA driver name is empty');
    const plugins = this.#plugins.get(driver) ?? [];
    const plugin = plugins.findLast(({ isConnected }) => isConnected) ?? plugins.at(-1);
    if (!plugin) throw new Error(`DRA driver ${driver} is not registered`);
    return plugin;
  }

  /** Rejects with an Error in Kubernetes' words. */
  async call<T>(
    driver: string,
    method: 'NodePrepareResources' | 'NodeUnprepareResources',
    claims: readonly DriverClaim[],
    signal?: AbortSignal,
  ): Promise<T> {
    const { clock, metrics, rootDirectory } = this.#tools;
    const { endpoint, service } = this.#plugin(driver);
    const startedMs = clock.monotonic();
    const signals = [this.#stopped.signal, ...(signal ? [signal] : [])];
    let code = 'OK';
    try {
      const client = new RpcClient(onNode(rootDirectory, endpoint), service, clock);
      const limits = { timeoutMs: callTimeoutMs, signal: AbortSignal.any(signals) };
      return await client.call<T & Message>(method, { claims }, limits);
    } catch (error) {
      code = error instanceof RpcError ? error.code : 'Unknown';
      throw new Error(`${method}: ${(error as Error).message}`);
    } finally {
      metrics
        .histogram('dra_grpc_operations_duration_seconds', 'Duration in seconds of the DRA gRPC operations', draBuckets)
        .observe((clock.monotonic() - startedMs) / 1000, {
          ...{ driver_name: driver, method_name: `/${service.name}/${method}`, grpc_status_code: code },
        });
    }
  }

  async #follow(driver: string, plugin: Plugin): Promise<void> {
    const { logger, rootDirectory } = this.#tools;
    const { signal } = plugin.ended;
    let connected = new AbortController();
    await followConnection(onNode(rootDirectory, plugin.endpoint), signal, (isConnected) => {
      plugin.isConnected = isConnected;
      this.#sync(driver);
      connected.abort();
      connected = new AbortController();
      if (isConnected) void this.#followHealth(driver, plugin, AbortSignal.any([signal, connected.signal]));
    }).catch((error) => logger.warn('cannot follow a DRA driver', { driver, error: String(error) }));
    connected.abort();
  }

  async #followHealth(driver: string, { endpoint }: Plugin, signal: AbortSignal): Promise<void> {
    const { clock, logger, rootDirectory, health } = this.#tools;
    const client = new RpcClient(onNode(rootDirectory, endpoint), healthService, clock);
    while (!signal.aborted) {
      try {
        const answers = client.stream<HealthAnswer & Message>('NodeWatchResources', {}, signal);
        for await (const answer of answers) health(driver, answer);
      } catch (error) {
        // The service is optional. A newer driver has another connection.
        if (error instanceof RpcError && error.code === 'Unimplemented') return;
        logger.info('health of devices not reported, trying again', { driver, error: (error as Error).message });
      } finally {
        health(driver, undefined);
      }
      await clock.sleep(healthRetryMs, signal).catch(() => {});
    }
  }

  #sync(driver: string): void {
    if (this.#stopped.signal.aborted) return;
    const isUsable = this.#plugins.get(driver)?.some(({ isConnected }) => isConnected) ?? false;
    if (isUsable) this.#tools.usable(driver);
    else this.#tools.unusable(driver);
  }
}

/** The first service that both sides have. */
function chosenService(driver: string, endpoint: string, services: readonly string[]): Service {
  const fail = (why: string): never => {
    throw new Error(`invalid supported gRPC versions of DRA driver plugin ${driver} at endpoint ${endpoint}: ${why}`);
  };
  if (services.length === 0) return fail('empty list of supported gRPC services (aka supported versions)');
  const chosen = draServices.get(services.find((name) => draServices.has(name)) ?? '');
  if (chosen) return chosen;
  const quoted = (names: Iterable<string>) => `[${[...names].map((name) => JSON.stringify(name)).join(' ')}]`;
  const [theirs, ours] = [quoted(services), quoted(draServices.keys())];
  return fail(`none of services supported by the plugin (${theirs}) are supported by the kubelet (${ours})`);
}
