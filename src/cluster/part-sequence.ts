import type { RunningComponent } from '../client/client.ts';
import type { PartContext } from './context.ts';
import { within } from './within.ts';

export interface PartStatus {
  readonly name: string;
  /** Milliseconds that its start took. */
  readonly startMs: number;
  /** Why it is not healthy, undefined while it is. */
  readonly problem?: string;
  /** How often the process of the part was started again. */
  readonly restarts?: number;
}

export type OnStep = (name: string, ms: number) => void;

interface Started {
  readonly name: string;
  readonly startMs: number;
  readonly running: RunningComponent;
}

/** Parts that run in this process, in the order in which they were started. */
export class PartSequence {
  readonly #context: Pick<PartContext, 'clock' | 'logger'>;
  readonly #onStep: OnStep;
  readonly #started: Started[] = [];

  constructor(context: Pick<PartContext, 'clock' | 'logger'>, onStep: OnStep = () => {}) {
    this.#context = context;
    this.#onStep = onStep;
  }

  async start<Running extends RunningComponent>(name: string, start: () => Promise<Running>): Promise<Running> {
    const { clock, logger } = this.#context;
    const beginMs = clock.monotonic();
    const running = await start();
    const startMs = clock.monotonic() - beginMs;
    this.#started.push({ name, startMs, running });
    logger.info('part started', { part: name, ms: Math.round(startMs) });
    this.#onStep(name, startMs);
    return running;
  }

  status(): PartStatus[] {
    return this.#started.map(({ name, startMs, running }) => {
      const problem = running.health?.();
      return { name, startMs, ...(problem !== undefined && { problem }) };
    });
  }

  /** Stops the parts in the opposite order. With `eachMs`, continues without a part that takes longer. */
  async stop(eachMs?: number): Promise<void> {
    const { clock, logger } = this.#context;
    for (let part = this.#started.at(-1); part; part = this.#started.at(-1)) {
      const { name, running } = part;
      const stopped = running
        .stop()
        .catch((error) => logger.error('part did not stop cleanly', { part: name, error: String(error) }))
        .then(() => true);
      if (!(eachMs === undefined ? await stopped : await within(clock, eachMs, stopped)))
        logger.error('part does not stop, continuing without it', { part: name, ms: eachMs });
      this.#started.pop();
    }
  }
}
