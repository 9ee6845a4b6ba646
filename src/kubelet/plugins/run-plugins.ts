// Finds the plugins of this node and keeps them registered.

import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type PluginHandler, PluginRegistry } from './plugin-registry.ts';
import { watchSockets } from './plugin-sockets.ts';

/** Below the kubelet's directory, as in Kubernetes. */
const registrationDirectory = 'plugins_registry';

/** Runs until `signal` aborts. */
export async function runPlugins(
  rootDirectory: string,
  handlers: ReadonlyMap<string, PluginHandler>,
  tools: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const registry = new PluginRegistry(handlers, tools);
  const directory = path.join(rootDirectory, registrationDirectory);
  await watchSockets(directory, tools, signal, (sockets) => registry.update(sockets)).catch((error) =>
    tools.logger.error('plugins are not registered any more', { error: String(error) }),
  );
  await registry.stop();
}
