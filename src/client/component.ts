// A component is a function that takes a context and returns a handle to stop it (docs/design.md, Rooms).

import { isApiError } from '../api/api.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Client } from './interface.ts';

export interface ComponentContext {
  /** Uses the component's identity. */
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ends the process after an unrecoverable failure, such as a lost lease; only `cluster` and `cli` decide how. */
  readonly fatal: (error: Error) => void;
}

export interface RunningComponent {
  /** Why the component is not healthy, undefined while it is. */
  health?(): string | undefined;
  /** Resolves when all its work has ended. Containers keep running. */
  stop(): Promise<void>;
}

/** The text for logs: the message of an API error, the stack of any other error. */
export const errorText = (error: unknown): string =>
  error instanceof Error && !isApiError(error) ? (error.stack ?? String(error)) : String(error);
