// A watch of objects that a webhook converts: each step waits for the conversion of its objects and of earlier ones.

import { ApiError, type ApiObject, internalError, type Kind } from '../../../api/api.ts';
import type { WatchSink } from '../../request/reply.ts';
import type { Item } from '../../watch-cache/item.ts';
import { prepareServed } from '../codec.ts';

interface Step {
  readonly items: readonly Item[];
  readonly act: () => void;
}

export interface ConvertingSink extends WatchSink {
  /** Calls `act` once the items can be read in the version of the watch; in the order of all calls of the sink. */
  whenConverted(items: readonly Item[], act: () => void): void;
}

/** Undefined for kinds without a webhook. A failed conversion ends the watch with its error. */
export function convertingSink(kind: Kind, sink: WatchSink): ConvertingSink | undefined {
  if (!kind.prepareConversion) return undefined;
  let waiting: Step[] = [];
  let isRunning = false;
  let isOver = false;
  let running: Promise<void> = Promise.resolve();
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0 && !isOver) {
      const batch = waiting;
      waiting = [];
      try {
        // One call for all events that arrived meanwhile.
        await prepareServed(
          kind,
          batch.flatMap(({ items }) => items),
        );
        for (const { act } of batch) act();
      } catch (error) {
        isOver = true;
        const { status } = error instanceof ApiError ? error : internalError(String(error));
        sink.error(status);
        sink.end();
      }
    }
    isRunning = false;
  };
  const whenConverted = (items: readonly Item[], act: () => void) => {
    waiting.push({ items, act });
    if (!isRunning) running = run();
  };
  return {
    ...(sink.keepsObjects !== undefined && { keepsObjects: sink.keepsObjects }),
    whenConverted,
    send: (event, item) => whenConverted([item], () => sink.send(event, item)),
    bookmark: (bookmark: ApiObject) => whenConverted([], () => sink.bookmark(bookmark)),
    ready: () => running.then(() => sink.ready?.()),
    error: (error) => whenConverted([], () => sink.error(error)),
    end: () => whenConverted([], () => sink.end()),
  };
}
