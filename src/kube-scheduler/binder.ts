// Binds pods to their nodes: first the plugins write the objects that they hold for the pod, which may take minutes, then
// the pod is bound.

import { isConflict, isNotFound, type Pod } from '../api/api.ts';
import { type ComponentContext, errorText } from '../client/client.ts';
import type { SchedulerCache } from './cache.ts';
import type { HeldReservation } from './cycle.ts';
import { ExtenderError } from './extenders/answers.ts';
import type { Extender } from './extenders/extender.ts';
import type { BindTools } from './framework.ts';
import type { Profile } from './profile.ts';
import type { QueuedPod, SchedulingQueue } from './queue.ts';

interface BinderParts {
  readonly context: ComponentContext;
  readonly cache: SchedulerCache;
  readonly queue: SchedulingQueue;
  readonly extenders: readonly Extender[];
  /** Called after each binding. */
  readonly done: () => void;
  count(profile: Profile, result: 'scheduled' | 'error'): void;
  /** The pod could not be bound to the node: it is tried again. */
  failed(profile: Profile, queued: QueuedPod, message: string, node: string): void;
}

/** A pod that has a node and waits for something else, such as a volume. */
interface Attempt {
  readonly stop: AbortController;
  /** The pod is gone, or the scheduler stops. */
  isOver: boolean;
}

export class Binder {
  readonly #parts: BinderParts;
  readonly #attempts = new Map<string, Attempt>();
  #bindings = 0;

  constructor(parts: BinderParts) {
    this.#parts = parts;
  }

  /** Bindings in progress. */
  get bindings(): number {
    return this.#bindings;
  }

  /** The pod was deleted. */
  abort(uid: string): void {
    end(this.#attempts.get(uid));
  }

  stop(): void {
    for (const attempt of this.#attempts.values()) end(attempt);
  }

  /** Reservations may take minutes: other pods are scheduled and bound meanwhile. */
  async bind(profile: Profile, queued: QueuedPod, node: string, held: readonly HeldReservation[]): Promise<void> {
    if (held.length === 0) return void (await this.#bind(profile, queued, node));
    const { context, cache, queue, failed } = this.#parts;
    const { info } = queued;
    const { uid } = info.pod.metadata;
    const attempt: Attempt = { stop: new AbortController(), isOver: false };
    this.#attempts.set(uid, attempt);
    queue.binding(uid);
    let isBound = false;
    let failure: Error | undefined;
    try {
      await profile.status.expect(info.pod, node);
      await prepare(held, toolsFor(context, profile, queued, attempt.stop.signal), attempt);
      if (!attempt.isOver) isBound = await this.#bind(profile, queued, node);
    } catch (error) {
      cache.remove(uid);
      failure = error as Error;
    }
    this.#attempts.delete(uid);
    if (!isBound) await undo(held, toolsFor(context, profile, queued, new AbortController().signal), context);
    for (const reservation of held) reservation.release();
    if (!failure || attempt.isOver) return;
    context.logger.warn('binding failed', { pod: info.key, node, error: failure.message });
    failed(profile, queued, failure.message, node);
  }

  /** Whether the pod has the node now. */
  async #bind(profile: Profile, queued: QueuedPod, node: string): Promise<boolean> {
    const { context, cache, queue, done, count } = this.#parts;
    const { info } = queued;
    this.#bindings++;
    const { name, namespace, uid } = info.pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { kind: 'Node', name: node },
    };
    try {
      if (!(await this.#bindByExtender(info.pod, node)))
        await context.client.createSubresource('pods', { name, namespace }, 'binding', binding);
      queue.done(uid);
      count(profile, 'scheduled');
      const note = `Successfully assigned ${info.key} to ${node}`;
      profile.events.report(info.pod, { type: 'Normal', reason: 'Scheduled', action: 'Binding', note });
      return true;
    } catch (error) {
      cache.remove(uid);
      if (isNotFound(error)) queue.remove(uid);
      else if (error instanceof ExtenderError) this.#parts.failed(profile, queued, error.message, node);
      else if (isConflict(error)) {
        // Another writer bound it: the informer or the next attempt decides.
        count(profile, 'error');
        queue.failed(queued);
      } else {
        const why = `running Bind plugin "DefaultBinder": ${(error as Error).message}`;
        context.logger.warn('binding failed', { pod: info.key, node, error: String(error) });
        this.#parts.failed(profile, queued, why, node);
      }
      return false;
    } finally {
      this.#bindings--;
      done();
    }
  }

  /** Whether an extender has bound the pod. */
  async #bindByExtender(pod: Pod, node: string): Promise<boolean> {
    const { extenders, context } = this.#parts;
    for (const extender of extenders) {
      if (!extender.can('bind') || !extender.isInterested(pod)) continue;
      try {
        await extender.bind(pod, node);
        return true;
      } catch (error) {
        if (!extender.ignorable) throw error;
        context.logger.warn('an extender failed and is ignored', { extender: extender.name, error: errorText(error) });
      }
    }
    return false;
  }
}

export const toolsFor = (
  { client, clock, metrics }: ComponentContext,
  { events }: Profile,
  { info }: QueuedPod,
  signal: AbortSignal,
): BindTools => ({
  client,
  clock,
  metrics,
  signal,
  event: (type, reason, note) => events.report(info.pod, { type, reason, action: 'Scheduling', note }),
});

function end(attempt: Attempt | undefined): void {
  if (!attempt) return;
  attempt.isOver = true;
  attempt.stop.abort();
}

/** All at once; the first failure stops the others. */
async function prepare(held: readonly HeldReservation[], tools: BindTools, { stop }: Attempt): Promise<void> {
  const failures: Error[] = [];
  const run = async ({ plugin, preBind }: HeldReservation) => {
    try {
      await preBind(tools);
    } catch (error) {
      failures.push(new Error(`running PreBind plugin "${plugin}": ${(error as Error).message}`));
      stop.abort();
    }
  };
  await Promise.all(held.map(run));
  const [first] = failures;
  if (first) throw first;
}

async function undo(held: readonly HeldReservation[], tools: BindTools, { logger }: ComponentContext): Promise<void> {
  for (const { plugin, undo } of held)
    await undo?.(tools).catch((error: Error) => logger.warn('unreserve failed', { plugin, error: error.message }));
}
