// A watch of objects that a webhook converts: events wait for the conversion of earlier ones.

import { ApiError, type ApiObject, internalError, type Kind } from '../../api/api.ts';
import type { WatchSink } from '../reply.ts';
import type { Item } from '../watch-cache/item.ts';
import type { EventType } from '../watch-cache/resource-cache.ts';
import { prepareServed } from './codec.ts';

type Step =
  | { readonly event: EventType; readonly item: Item }
  | { readonly bookmark: ApiObject }
  | { readonly error: object }
  | 'end';

/** Returns the sink itself for kinds without a webhook. */
export function convertingSink(kind: Kind, sink: WatchSink): WatchSink {
  if (!kind.prepareConversion) return sink;
  let waiting: Step[] = [];
  let isRunning = false;
  let isOver = false;
  let running: Promise<void> = Promise.resolve();
  const pass = (step: Step) => {
    if (step === 'end') sink.end();
    else if ('event' in step) sink.send(step.event, step.item);
    else if ('bookmark' in step) sink.bookmark(step.bookmark);
    else sink.error(step.error);
  };
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0 && !isOver) {
      const batch = waiting;
      waiting = [];
      try {
        // One call for all events that arrived meanwhile.
        await prepareServed(
          kind,
          batch.flatMap((step) => (step !== 'end' && 'event' in step ? [step.item] : [])),
        );
        for (const step of batch) pass(step);
      } catch (error) {
        isOver = true;
        const { status } = error instanceof ApiError ? error : internalError(String(error));
        sink.error(status);
        sink.end();
      }
    }
    isRunning = false;
  };
  const push = (step: Step) => {
    waiting.push(step);
    if (!isRunning) running = run();
  };
  return {
    ...(sink.keepsObjects !== undefined && { keepsObjects: sink.keepsObjects }),
    send: (event, item) => push({ event, item }),
    bookmark: (bookmark) => push({ bookmark }),
    ready: () => running.then(() => sink.ready?.()),
    error: (error) => push({ error }),
    end: () => push('end'),
  };
}
