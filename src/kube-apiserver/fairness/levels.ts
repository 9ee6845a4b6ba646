// The configured priority levels with their seats: every level has nominal seats, lends unused ones, and borrows from
// other levels.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#prioritylevelconfiguration

import type { FlowSchema, PriorityLevelConfiguration } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { allocate } from './allocation.ts';
import { byPrecedence, distinguisherOf, matchesSchema } from './classify.ts';
import { Demand } from './demand.ts';
import { mandatoryLevels, mandatorySchemas } from './mandatory.ts';
import { type QueueConfig, QueueSet } from './queue-set.ts';
import { hashOfFlow } from './shuffle.ts';
import type { Utilization } from './utilization.ts';

/** Part of a level's nominal seats that one request may occupy. */
const widestShare = 0.15;

export interface Level {
  readonly name: string;
  readonly config: PriorityLevelConfiguration;
  readonly isExempt: boolean;
  readonly queues: QueueSet;
  readonly demand: Demand;
  /** Seats: its own, those that it cannot lose, and those that it can have at most. */
  readonly nominal: number;
  readonly least: number;
  readonly most: number;
  /** Seats of its widest request; undefined: the general limits hold. */
  readonly widest: number | undefined;
  /** Not configured any more: it goes when its last request has ended. */
  readonly isQuiescing: boolean;
}

export interface Flow {
  readonly schema: FlowSchema;
  readonly level: Level;
  readonly distinguisher: string;
  readonly hash: bigint;
}

export class PriorityLevels {
  readonly #clock: Clock;
  /** Of the whole server. */
  readonly #seats: number;
  readonly #utilization: Utilization;
  #levels = new Map<string, Level>();
  #schemas: readonly FlowSchema[] = [];
  fairFraction = 0;

  constructor(clock: Clock, seats: number, utilization: Utilization) {
    this.#clock = clock;
    this.#seats = seats;
    this.#utilization = utilization;
    this.configure([], []);
  }

  get levels(): Iterable<Level> {
    return this.#levels.values();
  }

  /** Skips schemas whose level does not exist. */
  configure(schemas: readonly FlowSchema[], configured: readonly PriorityLevelConfiguration[]): void {
    const wanted = new Map([...mandatoryLevels, ...configured].map((level) => [level.metadata.name, level]));
    const sum = [...wanted.values()].reduce((total, level) => total + sharesOf(level).shares, 0);
    const next = new Map<string, Level>();
    for (const [name, config] of wanted) next.set(name, this.#level(config, sum, false));
    for (const [name, level] of this.#levels)
      if (!next.has(name) && !level.queues.isIdle) next.set(name, { ...level, isQuiescing: true });
    this.#levels = next;
    const all = new Map([...mandatorySchemas, ...schemas].map((schema) => [schema.metadata.name, schema]));
    this.#schemas = [...all.values()]
      .filter(({ spec }) => wanted.has(spec?.priorityLevelConfiguration.name ?? ''))
      .sort(byPrecedence);
    this.adjust();
  }

  classify(info: RequestInfo, user: UserInfo): Flow {
    const schema =
      this.#schemas.find((candidate) => matchesSchema(candidate, info, user)) ?? (this.#schemas.at(-1) as FlowSchema);
    const level = this.#levels.get(schema.spec?.priorityLevelConfiguration.name ?? '') as Level;
    const hasFlows = !level.isExempt && level.queues.config.queues > 1;
    const distinguisher = hasFlows ? distinguisherOf(schema, info, user) : '';
    return { schema, level, distinguisher, hash: hasFlows ? hashOfFlow(schema.metadata.name, distinguisher) : 0n };
  }

  /** Divides the seats by the levels' demand since the last call. Call it every 10 s. */
  adjust(): void {
    const levels = [...this.#levels.values()];
    for (const level of levels) level.demand.look();
    const exempt = levels.filter(({ isExempt }) => isExempt);
    const limited = levels.filter(({ isExempt }) => !isExempt);
    const needOf = ({ least, demand }: Level) => Math.max(least, demand.figures.highWatermark);
    const floorOf = (level: Level) =>
      Math.max(level.least, Math.min(level.nominal, level.demand.figures.highWatermark));
    const left = sumOf(levels, ({ nominal }) => nominal) - sumOf(exempt, needOf);
    for (const level of exempt) level.queues.configure(level.queues.config, needOf(level));
    const seats = this.#shareOut(limited, left, floorOf);
    for (const [i, { queues }] of limited.entries()) queues.configure(queues.config, seats[i] ?? queues.limit);
  }

  #shareOut(levels: readonly Level[], left: number, floorOf: (level: Level) => number): readonly number[] {
    const least = sumOf(levels, (level) => level.least);
    const floor = sumOf(levels, floorOf);
    this.fairFraction = 0;
    if (left <= least) return levels.map((level) => level.least);
    if (left <= floor) {
      const part = (left - least) / (floor - least);
      return levels.map((level) => level.least + Math.round((floorOf(level) - level.least) * part));
    }
    const claims = levels.map((level) => ({
      lowerBound: floorOf(level),
      upperBound: level.most,
      target: Math.max(floorOf(level), level.demand.figures.smoothed),
    }));
    const { seats, fairFraction } = allocate(
      sumOf([...this.#levels.values()], ({ nominal }) => nominal),
      claims,
    );
    this.fairFraction = fairFraction;
    return seats.map(Math.round);
  }

  #level(config: PriorityLevelConfiguration, shareSum: number, isQuiescing: boolean): Level {
    const { name } = config.metadata;
    const isExempt = config.spec?.type === 'Exempt';
    const { shares, lendable, borrowing } = sharesOf(config);
    const nominal = Math.ceil((this.#seats * shares) / shareSum);
    const lent = Math.round((nominal * lendable) / 100);
    const most = nominal + (borrowing === undefined ? this.#seats : Math.round((nominal * borrowing) / 100));
    const previous = this.#levels.get(name);
    const demand = previous?.demand ?? new Demand(this.#clock);
    const queueConfig = queueConfigOf(config, isExempt);
    const limit = previous?.queues.limit ?? nominal - Math.floor(lent / 2);
    const utilization = this.#utilization.level(name, nominal);
    const onDemand = (changed: QueueSet) => {
      const nowMs = this.#clock.monotonic();
      demand.set(changed.seatsInUse + changed.seatsWaiting, nowMs);
      utilization.set(changed, nowMs);
    };
    const queues = previous?.queues ?? new QueueSet(this.#clock, queueConfig, limit, onDemand);
    queues.configure(queueConfig, limit);
    const { handSize, queues: count } = queueConfig;
    const widest =
      count > 0 ? Math.max(1, Math.min(Math.ceil(nominal * widestShare), Math.floor(nominal / handSize))) : undefined;
    return { name, config, isExempt, queues, demand, nominal, least: nominal - lent, most, widest, isQuiescing };
  }
}

const sumOf = <T>(list: readonly T[], value: (item: T) => number): number =>
  list.reduce((sum, item) => sum + value(item), 0);

function sharesOf({ spec }: PriorityLevelConfiguration) {
  const { exempt, limited } = spec ?? {};
  const { nominalConcurrencyShares: shares = spec?.type === 'Exempt' ? 0 : 30, lendablePercent: lendable = 0 } =
    (spec?.type === 'Exempt' ? exempt : limited) ?? {};
  return { shares, lendable, borrowing: spec?.type === 'Exempt' ? undefined : limited?.borrowingLimitPercent };
}

function queueConfigOf({ spec }: PriorityLevelConfiguration, isExempt: boolean): QueueConfig {
  const queuing = spec?.limited?.limitResponse?.queuing;
  if (isExempt || spec?.limited?.limitResponse?.type !== 'Queue' || !queuing)
    return { queues: 0, handSize: 1, queueLengthLimit: 0, isExempt };
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = queuing;
  return { queues, handSize, queueLengthLimit, isExempt };
}
