// API priority and fairness: each request belongs to a flow of a priority level, and gets its seats there.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/

import { conditionOf, type FlowSchema, ignoreNotFound, isConflict } from '../../api/api.ts';
import { type Client, type ComponentContext, createInformer, type Informer, timestamp } from '../../client/client.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { ServerConfig } from '../environment.ts';
import type { UserInfo } from '../request/user.ts';
import { type Flow, PriorityLevels } from './levels.ts';
import { FairnessMetrics } from './metrics.ts';
import type { Outcome } from './queue-set.ts';
import { Rejections } from './rejections.ts';
import { Utilization } from './utilization.ts';
import { type Asked, watchersOf, widthOf } from './width.ts';

/** Kubernetes' defaults of --max-requests-inflight and --max-mutating-requests-inflight together. */
const usualSeats = 600;
const adjustMs = 10_000;
/** Changes within this time are applied together. */
const settleMs = 100;

interface Admission {
  readonly flow: Flow;
  readonly outcome: Outcome | Promise<Outcome>;
}

export class Fairness {
  readonly #clock: Clock;
  /** How long a request waits for seats. */
  readonly #patienceMs: number;
  readonly #metrics: FairnessMetrics;
  readonly #rejections = new Map<string, Rejections>();
  readonly levels: PriorityLevels;
  readonly utilization: Utilization;
  #stopFollowing: (() => Promise<void>) | undefined;

  constructor(
    clock: Clock,
    metrics: Metrics,
    { seats = usualSeats, requestTimeoutMs = 60_000 }: Partial<Pick<ServerConfig, 'seats' | 'requestTimeoutMs'>> = {},
  ) {
    this.#clock = clock;
    this.#patienceMs = requestTimeoutMs / 4;
    this.utilization = new Utilization(metrics, () => clock.monotonic(), seats);
    this.levels = new PriorityLevels(clock, seats, this.utilization);
    this.#metrics = new FairnessMetrics(metrics, this.levels, this.utilization);
  }

  /** Classifies the request and requests seats of its level. */
  admit(request: Asked & { readonly user: UserInfo; readonly signal: AbortSignal }): Admission {
    const flow = this.levels.classify(request.info, request.user);
    const { level, schema, distinguisher, hash } = flow;
    const watchers = watchersOf(request);
    const width = widthOf(request, level.widest, watchers);
    if (watchers !== undefined) this.#metrics.watched(flow, watchers);
    this.#metrics.estimated(flow, Math.max(width.seats, width.finalSeats));
    const outcome = level.queues.start({
      width,
      hash,
      schema: schema.metadata.name,
      distinguisher,
      user: request.user.name,
      patienceMs: this.#patienceMs,
      signal: request.signal,
    });
    return { flow, outcome };
  }

  /** Counts a request that ran for `ms`, after it had waited for `waitedMs`. */
  ran(flow: Flow, waitedMs: number, ms: number): void {
    this.#metrics.ran(flow, waitedMs, ms);
  }

  /** Counts a rejected request. Returns the seconds after which its client should come back. */
  rejected(flow: Flow, reason: string): number {
    this.#metrics.rejected(flow, reason);
    let rejections = this.#rejections.get(flow.level.name);
    if (!rejections) this.#rejections.set(flow.level.name, (rejections = new Rejections(this.#clock)));
    rejections.note();
    return rejections.retryAfterSeconds;
  }

  /** Watches the configuration, and writes whether schemas name existing levels. Resolves when it is loaded. */
  async start(context: Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'>): Promise<void> {
    const schemas = createInformer(context, 'flowschemas');
    const levels = createInformer(context, 'prioritylevelconfigurations');
    let planned: Timer | undefined;
    const take = () => {
      planned = undefined;
      this.levels.configure(schemas.list(), levels.list());
      void noteDangling(context, schemas, (name) => levels.get(name) !== undefined);
    };
    const changed = () => {
      planned ??= this.#clock.after(settleMs, take, { background: true });
    };
    const unfollow = [schemas.handle(changed), levels.handle(changed)];
    let adjusting: Timer;
    const adjust = () => {
      this.levels.adjust();
      adjusting = this.#clock.after(adjustMs, adjust, { background: true });
    };
    adjusting = this.#clock.after(adjustMs, adjust, { background: true });
    this.#stopFollowing = async () => {
      for (const stop of unfollow) stop();
      planned?.cancel();
      adjusting.cancel();
      await Promise.all([schemas.stop(), levels.stop()]);
    };
    await Promise.all([schemas.synced(), levels.synced()]);
    take();
  }

  async stop(): Promise<void> {
    await this.#stopFollowing?.();
  }
}

async function noteDangling(
  { client, clock, logger }: { client: Client } & Pick<ComponentContext, 'clock' | 'logger'>,
  schemas: Informer<FlowSchema>,
  exists: (level: string) => boolean,
): Promise<void> {
  for (const schema of schemas.list()) {
    const level = schema.spec?.priorityLevelConfiguration.name ?? '';
    const condition = danglingCondition(level, exists(level));
    const { status, reason, message } = conditionOf(schema, 'Dangling') ?? {};
    if (status === condition.status && reason === condition.reason && message === condition.message) continue;
    const { name } = schema.metadata;
    const lastTransitionTime = timestamp(clock.now());
    const body = {
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name },
      status: { conditions: [{ ...condition, lastTransitionTime }] },
    };
    const options = { subresource: 'status', fieldManager: 'api-priority-and-fairness-config-consumer-v1' };
    await client
      .patch('flowschemas', { name }, { type: 'apply', body, force: true }, options)
      .catch(ignoreNotFound)
      .catch((error) => {
        if (!isConflict(error)) logger.warn('status of a flow schema not written', { name, error: String(error) });
      });
  }
}

function danglingCondition(level: string, exists: boolean) {
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return exists
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${named} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${named} but there is no such object` };
}
