// Components of which one leads among all servers.

import type { ComponentContext, RunningComponent } from '../../client/client.ts';
import type { UserInfo } from '../../kube-apiserver/kube-apiserver.ts';
import type { PartContext } from '../context.ts';
import { componentContext } from '../context.ts';
import type { ApiServerPart } from './api-server.ts';

const restartMs = 1_000;

export interface Led<Running> extends RunningComponent {
  /** The component now; undefined between two starts. */
  readonly current: Running | undefined;
}

/** The election of a component among the servers; undefined where there is one server. */
export const electionOf = ({ server, config, random }: PartContext): { identity: string } | undefined =>
  server && { identity: `${config.nodeNames[0]}_${random.uuid()}` };

interface LedComponent {
  readonly name: string;
  /** Under whose rights it works. */
  readonly user: UserInfo;
  readonly api: Pick<ApiServerPart, 'clientFor' | 'reportHealth'>;
}

/** Starts a component, and again when it loses its lead: the API server of this process continues. */
export async function startLed<Running extends RunningComponent>(
  parts: PartContext,
  { name, user, api }: LedComponent,
  start: (context: ComponentContext) => Promise<Running>,
): Promise<Led<Running>> {
  const { clock, logger } = parts;
  const stopping = new AbortController();
  let current: Running | undefined;
  let ending: Promise<void> = Promise.resolve();
  const begin = async () => {
    let isOver = false;
    const context = {
      ...componentContext(parts, name, api.clientFor(user)),
      fatal(error: Error) {
        if (!parts.server) return parts.fatal(error);
        if (isOver || stopping.signal.aborted) return;
        isOver = true;
        logger.error('component starts again', { component: name, error: error.message });
        ending = again();
      },
    };
    current = await start(context);
  };
  const again = async () => {
    const former = current;
    current = undefined;
    await former
      ?.stop()
      .catch((error) => logger.warn('component did not stop cleanly', { component: name, error: String(error) }));
    for (;;) {
      await clock.sleep(restartMs, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
      try {
        return await begin();
      } catch (error) {
        logger.error('component does not start, trying again', { component: name, error: String(error) });
      }
    }
  };
  await begin();
  const health = () => (current ? current.health?.() : 'starts again');
  const withdraw = api.reportHealth(name, health);
  return {
    get current() {
      return current;
    },
    health: () => current?.health?.(),
    async stop() {
      withdraw();
      stopping.abort();
      await ending;
      await current?.stop();
    },
  };
}
