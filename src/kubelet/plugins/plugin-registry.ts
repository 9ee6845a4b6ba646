// Registers the plugins whose sockets appear in the registration directory, and removes those whose sockets go.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { PluginSockets } from './plugin-sockets.ts';
import { type PluginInfo, registrationService } from './registration-proto.ts';
import { RpcClient } from './rpc.ts';

/** The kubelet's part that uses plugins of one type. */
export interface PluginHandler {
  /** Throws an Error if it cannot use the plugin. */
  validate(name: string, endpoint: string, versions: readonly string[]): void;
  /** Rejects when the plugin does not work; nothing of it stays then. */
  register(name: string, endpoint: string, versions: readonly string[]): Promise<void>;
  deregister(name: string, endpoint: string): Promise<void>;
}

interface Registered {
  readonly identity: string;
  readonly handler: PluginHandler;
  readonly name: string;
  readonly endpoint: string;
}

const infoTimeoutMs = 1_000;
const notifyTimeoutMs = 5_000;
const firstBackoffMs = 500;
const longestBackoffMs = 2 * 60_000 + 2_000;

/** The work on one socket. `wake` ends a wait. */
interface Work {
  identity: string | undefined;
  wake(): void;
  done: Promise<void>;
}

interface RegistryTools {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PluginRegistry {
  readonly #handlers: ReadonlyMap<string, PluginHandler>;
  readonly #tools: RegistryTools;
  readonly #registered = new Map<string, Registered>();
  readonly #works = new Map<string, Work>();
  readonly #stopped = new AbortController();
  #wanted: PluginSockets = new Map();

  /** `handlers` by the type that plugins give, such as CSIPlugin. */
  constructor(handlers: ReadonlyMap<string, PluginHandler>, tools: RegistryTools) {
    this.#handlers = handlers;
    this.#tools = tools;
  }

  /** The sockets that exist now. Each socket is worked on separately: one that hangs delays no other. */
  update(sockets: PluginSockets): void {
    this.#wanted = sockets;
    for (const socket of new Set([...sockets.keys(), ...this.#registered.keys()]))
      if (sockets.get(socket) !== this.#registered.get(socket)?.identity) this.#begin(socket);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#works.values()].map(({ done }) => done));
  }

  #begin(socket: string): void {
    const running = this.#works.get(socket);
    if (running) {
      // Another socket in the place of one that failed is tried at once.
      if (running.identity !== this.#wanted.get(socket)) running.wake();
      return;
    }
    const work: Work = { identity: undefined, wake: () => {}, done: Promise.resolve() };
    this.#works.set(socket, work);
    work.done = this.#settle(socket, work).finally(() => this.#works.delete(socket));
  }

  /** Until the socket is registered as it is, or is gone. */
  async #settle(socket: string, work: Work): Promise<void> {
    const { clock, logger } = this.#tools;
    const { signal } = this.#stopped;
    for (let waitMs = firstBackoffMs; !signal.aborted; waitMs = Math.min(waitMs * 2, longestBackoffMs)) {
      const identity = this.#wanted.get(socket);
      const current = this.#registered.get(socket);
      if (current?.identity === identity) return;
      const woken = new AbortController();
      work.wake = () => woken.abort();
      if (work.identity !== identity) waitMs = firstBackoffMs;
      work.identity = identity;
      try {
        if (current) await this.#deregister(socket, current);
        if (identity !== undefined) await this.#register(socket, identity);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('plugin not registered', { socket, error: (error as Error).message });
        await clock.sleep(waitMs, AbortSignal.any([signal, woken.signal])).catch(() => {});
      }
    }
  }

  async #deregister(socket: string, { handler, name, endpoint }: Registered): Promise<void> {
    await handler.deregister(name, endpoint);
    this.#registered.delete(socket);
    this.#tools.logger.info('plugin removed', { plugin: name, socket });
  }

  async #register(socket: string, identity: string): Promise<void> {
    const { clock, logger } = this.#tools;
    const { signal } = this.#stopped;
    const client = new RpcClient(socket, registrationService, clock);
    const info = await client.call<PluginInfo>('GetInfo', {}, { timeoutMs: infoTimeoutMs, signal });
    const { name, type, supportedVersions: versions } = info;
    const endpoint = info.endpoint || socket;
    const handler = this.#handlers.get(type);
    const notify = (error: string) =>
      client.call(
        'NotifyRegistrationStatus',
        { pluginRegistered: error === '', error },
        { timeoutMs: notifyTimeoutMs, signal },
      );
    const refuse = async (why: string): Promise<never> => {
      await notify(why);
      throw new Error(why);
    };
    if (!handler)
      return refuse(`RegisterPlugin error -- no handler registered for plugin type: ${type} at socket ${socket}`);
    try {
      handler.validate(name, endpoint, versions);
    } catch (error) {
      await refuse(`RegisterPlugin error -- plugin validation failed with err: ${(error as Error).message}`);
    }
    try {
      await handler.register(name, endpoint, versions);
    } catch (error) {
      await refuse(`RegisterPlugin error -- plugin registration failed with err: ${(error as Error).message}`);
    }
    this.#registered.set(socket, { identity, handler, name, endpoint });
    try {
      await notify('');
    } catch (error) {
      await this.#deregister(socket, { identity, handler, name, endpoint });
      throw error;
    }
    logger.info('plugin registered', { plugin: name, type, endpoint });
  }
}
