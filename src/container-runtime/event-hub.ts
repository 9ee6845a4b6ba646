import type { RuntimeEvent } from './container-runtime.ts';

/** Hands each event to every listener, in order. */
export class EventHub {
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();

  publish(type: RuntimeEvent['type'], containerId: string, sandboxId: string, podUid: string): void {
    if (this.#listeners.size === 0) return;
    const event: RuntimeEvent = { type, containerId, sandboxId, podUid };
    for (const listener of this.#listeners) listener(event);
  }

  /** Listens from the call on, not from the first read, so that nothing is missed in between. */
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
          while (waiting.length > 0 && !signal.aborted) yield waiting.shift()!;
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
