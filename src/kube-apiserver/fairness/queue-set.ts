// The queues of one priority level. Requests of different flows wait in different queues; the queue whose first request
// would finish first in virtual time is served next, so that each gets its share of the seats.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/1040-priority-and-fairness#fair-queuing-for-server-requests

import type { Clock, Timer } from '../../machinery/time/clock.ts';
import { deal } from './shuffle.ts';

export interface QueueConfig {
  /** 0: requests beyond the limit are rejected at once. */
  readonly queues: number;
  readonly handSize: number;
  /** Requests that wait in one queue. */
  readonly queueLengthLimit: number;
  readonly isExempt: boolean;
}

/** Seats that a request occupies, and those that its consequences occupy afterwards. */
export interface Width {
  readonly seats: number;
  readonly finalSeats: number;
  readonly additionalMs: number;
}

export interface Arrival {
  readonly width: Width;
  readonly hash: bigint;
  /** For reports only. */
  readonly schema: string;
  readonly distinguisher: string;
  readonly user: string;
  /** Milliseconds that it waits at most. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

type RejectReason = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

export type Outcome =
  | { readonly isGranted: true; release(): void }
  | { readonly isGranted: false; readonly reason: RejectReason };

interface Waiting {
  readonly arrival: Arrival;
  readonly seats: number;
  /** Seat-milliseconds that it is expected to take. */
  readonly work: number;
  readonly arrivedAt: number;
  readonly virtualArrival: number;
  readonly decide: (outcome: Outcome) => void;
  timer?: Timer;
  abort?: () => void;
}

/** Requests of one flow schema. */
interface Load {
  executing: number;
  seatsInUse: number;
  waiting: number;
}

interface Queue {
  readonly index: number;
  readonly waiting: Set<Waiting>;
  waitingWork: number;
  executing: number;
  seatsInUse: number;
  /** Virtual time at which its next request would start. */
  nextStart: number;
}

/** A request's expected time, before it is known. */
const expectedMs = 3;

export class QueueSet {
  readonly #clock: Clock;
  /** Called whenever the seats change that are in use or waited for. */
  readonly #onDemand: (queues: QueueSet) => void;
  #config: QueueConfig;
  #limit: number;
  /** More than are configured, while those at the end are not empty. */
  #queues: Queue[] = [];
  #virtualTime = 0;
  #timeReadAt: number;
  #enqueued = 0;
  #robin = 0;
  #activeQueues = 0;
  seatsInUse = 0;
  seatsWaiting = 0;
  executing = 0;
  waiting = 0;
  /** By the name of the schema. */
  readonly loads = new Map<string, Load>();
  readonly counts = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };

  constructor(clock: Clock, config: QueueConfig, limit: number, onDemand: (queues: QueueSet) => void) {
    this.#clock = clock;
    this.#onDemand = onDemand;
    this.#config = config;
    this.#limit = limit;
    this.#timeReadAt = clock.monotonic();
    this.#grow();
  }

  get limit(): number {
    return this.#limit;
  }

  /** Requests that may wait. */
  get places(): number {
    return this.#config.queues * this.#config.queueLengthLimit;
  }

  /** Virtual time at its last change, in seconds. */
  get progressSeconds(): number {
    return this.#virtualTime / 1_000;
  }

  get config(): QueueConfig {
    return this.#config;
  }

  get queues(): readonly Queue[] {
    return this.#queues;
  }

  get isIdle(): boolean {
    return this.executing === 0 && this.waiting === 0;
  }

  configure(config: QueueConfig, limit: number): void {
    this.#syncTime();
    this.#config = config;
    this.#limit = limit;
    this.#grow();
    this.#dispatch();
  }

  /** Resolves when the request may run, or is rejected; synchronous if the queue is empty. */
  start(arrival: Arrival): Outcome | Promise<Outcome> {
    this.#syncTime();
    const { width } = arrival;
    const seats = Math.max(width.seats, width.finalSeats);
    if (this.#config.queues < 1) {
      if (!this.#hasRoomFor(seats)) return this.#reject('concurrency-limit');
      return this.#execute(arrival, seats, undefined);
    }
    const queue = this.#chooseQueue(arrival.hash);
    if (this.waiting === 0 && this.#hasRoomFor(seats)) {
      this.#wake(queue);
      queue.nextStart += workOf(width);
      return this.#execute(arrival, seats, queue);
    }
    if (this.seatsInUse >= this.#limit && queue.waiting.size >= this.#config.queueLengthLimit)
      return this.#reject('queue-full');
    return new Promise((decide) => {
      this.#enqueue(queue, arrival, seats, decide);
      this.#dispatch();
    });
  }

  /** Every request that waits, for reports. */
  *waitingRequests(): Generator<{ queue: Queue; arrival: Arrival; arrivedAt: number }> {
    for (const queue of this.#queues)
      for (const { arrival, arrivedAt } of queue.waiting) yield { queue, arrival, arrivedAt };
  }

  #grow(): void {
    const wanted = Math.max(0, this.#config.queues);
    while (this.#queues.length < wanted)
      this.#queues.push({
        index: this.#queues.length,
        waiting: new Set(),
        waitingWork: 0,
        executing: 0,
        seatsInUse: 0,
        nextStart: 0,
      });
    while (this.#queues.length > wanted && isEmpty(this.#queues.at(-1) as Queue)) this.#queues.pop();
  }

  /** Virtual time passes as fast as each active queue gets seats. */
  #syncTime(): void {
    const now = this.#clock.monotonic();
    const wanted = Math.min(this.seatsInUse + this.seatsWaiting, this.#limit);
    if (this.#activeQueues > 0) this.#virtualTime += ((now - this.#timeReadAt) * wanted) / this.#activeQueues;
    this.#timeReadAt = now;
  }

  /** A request that is wider than the limit runs alone. */
  #hasRoomFor(seats: number): boolean {
    if (this.#config.isExempt) return true;
    if (seats > this.#limit) return this.executing === 0;
    return this.seatsInUse + seats <= this.#limit;
  }

  /** Of the flow's hand, the queue with the least work waiting. */
  #chooseQueue(hash: bigint): Queue {
    const { queues, handSize } = this.#config;
    const hand = deal(hash, queues, Math.min(handSize, queues));
    const offset = this.#enqueued++ % hand.length;
    let best = this.#queues[hand[offset] as number] as Queue;
    for (let i = 1; i < hand.length; i++) {
      const queue = this.#queues[hand[(offset + i) % hand.length] as number] as Queue;
      if (queue.waitingWork < best.waitingWork) best = queue;
    }
    return best;
  }

  /** A queue that was empty gets no credit for that time. */
  #wake(queue: Queue): void {
    if (!isEmpty(queue)) return;
    queue.nextStart = this.#virtualTime;
    this.#activeQueues++;
  }

  #enqueue(queue: Queue, arrival: Arrival, seats: number, decide: (outcome: Outcome) => void): void {
    this.#wake(queue);
    const waiting: Waiting = {
      arrival,
      seats,
      work: workOf(arrival.width),
      arrivedAt: this.#clock.now(),
      virtualArrival: this.#virtualTime,
      decide,
    };
    const giveUp = (reason: RejectReason) => () => {
      this.#syncTime();
      this.#leave(queue, waiting);
      this.#settle(queue);
      decide(this.#reject(reason));
      this.#dispatch();
    };
    waiting.timer = this.#clock.after(arrival.patienceMs, giveUp('time-out'), { background: true });
    waiting.abort = giveUp('cancelled');
    arrival.signal.addEventListener('abort', waiting.abort, { once: true });
    queue.waiting.add(waiting);
    queue.waitingWork += waiting.work;
    this.waiting++;
    this.#loadOf(arrival).waiting++;
    this.seatsWaiting += seats;
    this.#demandChanged();
  }

  #reject(reason: RejectReason): Outcome {
    if (reason === 'time-out') this.counts.timedOut++;
    else if (reason === 'cancelled') this.counts.cancelled++;
    else this.counts.rejected++;
    return { isGranted: false, reason };
  }

  #leave(queue: Queue, waiting: Waiting): void {
    queue.waiting.delete(waiting);
    queue.waitingWork -= waiting.work;
    this.waiting--;
    this.#loadOf(waiting.arrival).waiting--;
    this.seatsWaiting -= waiting.seats;
    waiting.timer?.cancel();
    if (waiting.abort) waiting.arrival.signal.removeEventListener('abort', waiting.abort);
    this.#demandChanged();
  }

  #dispatch(): void {
    while (this.waiting > 0) {
      const queue = this.#nextQueue();
      const [first] = queue?.waiting ?? [];
      if (!queue || !first || !this.#hasRoomFor(first.seats)) return;
      this.#leave(queue, first);
      queue.nextStart += first.work;
      first.decide(this.#execute(first.arrival, first.seats, queue));
      this.#bound(queue);
    }
  }

  /** The queue whose first request would finish first; of equal ones, the next in turn. */
  #nextQueue(): Queue | undefined {
    let best: Queue | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    const count = this.#queues.length;
    const from = this.#robin;
    for (let i = 1; i <= count; i++) {
      const queue = this.#queues[(from + i) % count] as Queue;
      if (queue.waiting.size === 0) continue;
      const [first] = queue.waiting;
      const finish = queue.nextStart + (first as Waiting).work;
      if (finish >= earliest) continue;
      earliest = finish;
      best = queue;
    }
    if (best) this.#robin = best.index;
    return best;
  }

  #loadOf({ schema }: Arrival): Load {
    let load = this.loads.get(schema);
    if (!load) this.loads.set(schema, (load = { executing: 0, seatsInUse: 0, waiting: 0 }));
    return load;
  }

  #execute(arrival: Arrival, seats: number, queue: Queue | undefined): Outcome {
    const startedAt = this.#clock.monotonic();
    this.counts.dispatched++;
    this.executing++;
    this.seatsInUse += seats;
    const load = this.#loadOf(arrival);
    load.executing++;
    load.seatsInUse += seats;
    if (queue) {
      queue.executing++;
      queue.seatsInUse += seats;
    }
    this.#demandChanged();
    let isReleased = false;
    return {
      isGranted: true,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#finish(arrival, seats, queue, startedAt);
      },
    };
  }

  #finish(arrival: Arrival, seats: number, queue: Queue | undefined, startedAt: number): void {
    const { width } = arrival;
    const load = this.#loadOf(arrival);
    this.#syncTime();
    this.executing--;
    load.executing--;
    if (queue) {
      queue.executing--;
      // It was charged for the expected time; now the real one is known.
      queue.nextStart -= width.seats * (expectedMs - (this.#clock.monotonic() - startedAt));
      this.#bound(queue);
    }
    const release = () => {
      this.#syncTime();
      this.seatsInUse -= seats;
      load.seatsInUse -= seats;
      if (queue) {
        queue.seatsInUse -= seats;
        this.#settle(queue);
      }
      this.#demandChanged();
      this.#dispatch();
    };
    if (width.additionalMs > 0) this.#clock.after(width.additionalMs, release, { background: true });
    else release();
  }

  /** A queue cannot start its next request before that request arrived. */
  #bound(queue: Queue): void {
    const [first] = queue.waiting;
    if (first) queue.nextStart = Math.max(queue.nextStart, first.virtualArrival);
  }

  /** Called when the queue may have become empty. */
  #settle(queue: Queue): void {
    if (!isEmpty(queue)) return;
    this.#activeQueues--;
    this.#grow();
  }

  #demandChanged(): void {
    this.#onDemand(this);
  }
}

const isEmpty = ({ waiting, executing, seatsInUse }: Queue): boolean =>
  waiting.size === 0 && executing === 0 && seatsInUse === 0;

const workOf = ({ seats, finalSeats, additionalMs }: Width): number => seats * expectedMs + finalSeats * additionalMs;
