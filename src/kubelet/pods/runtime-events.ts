import type { Timer } from '../../machinery/time/clock.ts';
import type { KubeletTools } from '../tools.ts';
import { manyContainers } from './pod-cache.ts';

/** How long a pod's reading waits for further events, per container, and at most. */
const waitMsPerContainer = 0.1;
const longestWaitMs = 1_000;

/**
 * Reads a pod again after each event of the runtime. A reading lists all containers of a pod, and each of them has
 * events: so events are batched, or the work would be quadratic.
 */
export async function followRuntime(
  tools: Pick<KubeletTools, 'cache' | 'clock' | 'logger' | 'runtime'>,
  signal: AbortSignal,
): Promise<void> {
  const { cache, clock, logger, runtime } = tools;
  const waiting = new Map<string, Timer>();
  const refresh = (podUid: string) => cache.refresh(podUid).catch(() => {}); // the relist loop reports it
  const refreshSoon = (podUid: string, containers: number) => {
    if (waiting.has(podUid)) return;
    const timer = clock.after(Math.min(longestWaitMs, containers * waitMsPerContainer), () => {
      waiting.delete(podUid);
      void refresh(podUid);
    });
    waiting.set(podUid, timer);
  };
  try {
    for await (const { podUid } of runtime.events(signal)) {
      if (signal.aborted) return;
      const { length } = cache.get(podUid).containers;
      if (length > manyContainers) refreshSoon(podUid, length);
      else await refresh(podUid);
    }
  } catch (error) {
    if (!signal.aborted) logger.warn('runtime events ended', { error: String(error) });
  } finally {
    for (const timer of waiting.values()) timer.cancel();
  }
}
