// The nodes' process: runs the node parts for the main process.

import { nodeOfUser } from '../../api/api.ts';
import { createClient, type HttpsTransport, httpsTransport } from '../../client/client.ts';
import type { Environment, PartContext } from '../context.ts';
import { dataDirectory } from '../data-directory.ts';
import { type Identity, identities } from '../identities.ts';
import type { NodePartContext } from '../node-part.ts';
import { nodeParts } from '../node-parts.ts';
import { PartSequence } from '../part-sequence.ts';
import { collectWhenIdle } from '../process/spare-memory.ts';
import type { FromNodeProcess, NodeProcessConfig, ToNodeProcess } from './messages.ts';

interface NodeServerHooks {
  send(message: FromNodeProcess): void;
  /** Ends the process. */
  end(code: number): void;
}

interface NodeServer {
  receive(message: ToNodeProcess): void;
  /** Stops the parts in order, then ends the process. */
  stop(): Promise<void>;
}

/** For each part. The main process waits a little longer before it kills this one. */
const stopMs = 20_000;

/** Idle until the message `start`. */
export function serveNodes(environment: Environment, hooks: NodeServerHooks): NodeServer {
  const { logger } = environment;
  const parts = new PartSequence(environment, (name, ms) => hooks.send({ type: 'step', name, ms }));
  const transports = new Map<string, HttpsTransport>();
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  const start = async (config: NodeProcessConfig) => {
    collectWhenIdle(environment.clock);
    const context = contextOf(config, environment, hooks, transports);
    try {
      await startAll(parts, context);
      hooks.send({ type: 'ready' });
    } catch (error) {
      const { message, code, port, stack } = error as NodeJS.ErrnoException & { port?: number };
      logger.error('nodes did not start', { error: String(stack) });
      hooks.send({ type: 'failed', message, ...(code && { code }), ...(port && { port }) });
      await parts.stop();
      hooks.end(1);
    }
  };
  const stop = async () => {
    await starting;
    await parts.stop(stopMs);
    for (const transport of transports.values()) transport.close();
    logger.info('stopped the nodes');
    hooks.end(0);
  };
  return {
    receive(message) {
      if (message.type === 'start') starting ??= start(message.config);
      else if (message.type === 'stop') void this.stop();
      else
        hooks.send({
          type: 'status',
          id: message.id,
          parts: parts.status(),
          memoryBytes: process.memoryUsage.rss(),
        });
    },
    stop: () => (stopping ??= stop()),
  };
}

/** The name of the program in Kubernetes, by which managedFields name it too. */
const agentOf = ({ name }: Identity): string =>
  nodeOfUser(name) !== undefined ? 'kubelet' : name.replace(/^system:(serviceaccount:[^:]*:)?/, '');

/** The parts do not need each other: all start at once. Rejects with the first failure, once every start has ended. */
async function startAll(sequence: PartSequence, context: NodePartContext): Promise<void> {
  const wanted = nodeParts.filter((part) => part.isWanted(context.config));
  const starts = await Promise.allSettled(wanted.map((part) => sequence.start(part.name, () => part.start(context))));
  for (const start of starts) if (start.status === 'rejected') throw start.reason;
}

function contextOf(
  { config, server, ca, certificates, serving }: NodeProcessConfig,
  environment: Environment,
  hooks: NodeServerHooks,
  transports: Map<string, HttpsTransport>,
): NodePartContext {
  const certificateOf = ({ name }: Identity) => {
    const pair = certificates[name];
    if (!pair) throw new Error(`the nodes' process got no certificate for ${name}`);
    return pair;
  };
  const transportFor = (identity: Identity) => {
    const userAgent = agentOf(identity);
    return httpsTransport({ server, ca, ...certificateOf(identity), userAgent, clock: environment.clock });
  };
  const context: PartContext = {
    ...environment,
    config,
    directory: dataDirectory(config.dataDirectory),
    localUsage: new Map(),
    fatal: (error) => {
      environment.logger.error('component failed', { error: String(error.stack) });
      hooks.end(1);
    },
  };
  return {
    ...context,
    clientFor(identity) {
      const transport = transports.get(identity.name) ?? transportFor(identity);
      transports.set(identity.name, transport);
      return createClient(transport);
    },
    connect(options) {
      const transport = httpsTransport({ server, ca, ...options, clock: environment.clock });
      return { client: createClient(transport), close: () => transport.close() };
    },
    kubeletTls: (node) => ({ ...(serving ?? certificateOf(identities.kubelet(node))), clientCA: ca }),
  };
}
