// What a component is: a function that takes its context and returns something to stop (docs/design.md, Rooms).

import { isApiError } from '../api/api.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Client } from './interface.ts';

export interface ComponentContext {
  /** Speaks as the component's own identity. */
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ends the process for good reason, such as a lost lease; only `cluster` and `cli` decide what that means. */
  readonly fatal: (error: Error) => void;
}

export interface RunningComponent {
  /** Why the component is not healthy, undefined while it is. */
  health?(): string | undefined;
  /** Resolves when everything it started has ended. Containers keep running. */
  stop(): Promise<void>;
}

export type StartComponent<Config, Running extends RunningComponent = RunningComponent> = (
  context: ComponentContext,
  config: Config,
) => Promise<Running>;

/** For logs: a refusal of the API is said in its words, what nobody expected comes with its stack. */
export const errorText = (error: unknown): string =>
  error instanceof Error && !isApiError(error) ? (error.stack ?? String(error)) : String(error);
