import { must } from '../machinery/must.ts';
import type { RuntimeEvent } from './interface.ts';
import { podUidLabel } from './labels.ts';

/** Hands each event to every listener, in order. */
export class EventHub {
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();

  sandbox(type: RuntimeEvent['type'], id: string, podUid: string): void {
    this.#publish({ type, containerId: id, sandboxId: id, podUid });
  }

  container(
    type: RuntimeEvent['type'],
    id: string,
    sandboxId: string,
    { labels }: { readonly labels: Readonly<Record<string, string>> },
  ): void {
    this.#publish({ type, containerId: id, sandboxId, podUid: labels[podUidLabel] ?? '' });
  }

  #publish(event: RuntimeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Collects from the call on, not from the first read, so that no event is missed. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const waiting: RuntimeEvent[] = [];
    let wake: (() => void) | undefined;
    const listener = (event: RuntimeEvent) => {
      waiting.push(event);
      wake?.();
    };
    const stop = () => {
      this.#listeners.delete(listener);
      wake?.();
    };
    if (!signal.aborted) this.#listeners.add(listener);
    signal.addEventListener('abort', stop, { once: true });
    return (async function* () {
      try {
        while (!signal.aborted) {
          while (waiting.length > 0 && !signal.aborted) yield must(waiting.shift(), 'event');
          if (!signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
          wake = undefined;
        }
      } finally {
        stop();
        signal.removeEventListener('abort', stop);
      }
    })();
  }
}
