import type { Counter, Histogram, Metrics } from '../../machinery/metrics.ts';
import type { Flow, PriorityLevels } from './levels.ts';
import type { Utilization } from './utilization.ts';

const waitBuckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const watcherBuckets = [0, 1, 10, 100, 1_000, 10_000];
const seatBuckets = [1, 2, 4, 8, 16, 32, 64, 100];

type Labels = Readonly<Record<string, string>>;

interface FlowLabels {
  readonly plain: Labels;
  readonly executed: Labels;
  readonly regular: Labels;
  readonly rejected: Map<string, Labels>;
}

/** The metrics of Kubernetes' priority and fairness that have a meaning here. */
export class FairnessMetrics {
  readonly #dispatched: Counter;
  readonly #rejected: Counter;
  readonly #waited: Histogram;
  readonly #executed: Histogram;
  readonly #seats: Histogram;
  readonly #watchers: Histogram;
  /** By schema and level: metrics find their samples by these objects. */
  readonly #labels = new Map<string, FlowLabels>();
  /** The same, found faster. */
  readonly #bySchema = new WeakMap<Flow['schema'], FlowLabels>();

  constructor(metrics: Metrics, levels: PriorityLevels, utilization: Utilization) {
    const counter = (name: string, help: string) => metrics.counter(`apiserver_flowcontrol_${name}`, help);
    this.#dispatched = counter('dispatched_requests_total', 'Requests that got seats.');
    this.#rejected = counter('rejected_requests_total', 'Requests that were rejected.');
    this.#waited = metrics.histogram(
      'apiserver_flowcontrol_request_wait_duration_seconds',
      'Time that requests waited for seats.',
      waitBuckets,
    );
    this.#executed = metrics.histogram(
      'apiserver_flowcontrol_request_execution_seconds',
      'Time that requests ran.',
      waitBuckets,
    );
    this.#seats = metrics.histogram(
      'apiserver_flowcontrol_work_estimated_seats',
      'Seats that requests occupy.',
      seatBuckets,
    );
    this.#watchers = metrics.histogram(
      'apiserver_flowcontrol_watch_count_samples',
      'count of watchers for mutating requests in API Priority and Fairness',
      watcherBuckets,
    );
    metrics.onCollect(() => {
      utilization.pass();
      collect(metrics, levels);
      const gauge = metrics.gauge(
        'apiserver_current_inqueue_requests',
        'Maximal number of queued requests in this apiserver per request kind in last second.',
      );
      for (const kind of ['mutating', 'readOnly'] as const)
        gauge.set(utilization.current[kind].waiting, { request_kind: kind });
    });
  }

  watched(flow: Flow, watchers: number): void {
    this.#watchers.observe(watchers, this.#labelsOf(flow).plain);
  }

  estimated(flow: Flow, seats: number): void {
    this.#seats.observe(seats, this.#labelsOf(flow).plain);
  }

  ran(flow: Flow, waitedMs: number, ms: number): void {
    const { plain, executed, regular } = this.#labelsOf(flow);
    this.#dispatched.add(1, plain);
    this.#waited.observe(waitedMs / 1000, executed);
    this.#executed.observe(ms / 1000, regular);
  }

  rejected(flow: Flow, reason: string): void {
    const { rejected, plain } = this.#labelsOf(flow);
    let labels = rejected.get(reason);
    if (!labels) rejected.set(reason, (labels = { ...plain, reason }));
    this.#rejected.add(1, labels);
  }

  #labelsOf({ schema, level }: Flow): FlowLabels {
    const found = this.#bySchema.get(schema);
    if (found?.plain.priority_level === level.name) return found;
    const { name } = schema.metadata;
    const key = `${name} ${level.name}`;
    let labels = this.#labels.get(key);
    if (!labels) {
      const plain = { flow_schema: name, priority_level: level.name };
      labels = {
        plain,
        executed: { ...plain, execute: 'true' },
        regular: { ...plain, type: 'regular' },
        rejected: new Map(),
      };
      this.#labels.set(key, labels);
    }
    this.#bySchema.set(schema, labels);
    return labels;
  }
}

function collect(metrics: Metrics, { levels, fairFraction }: PriorityLevels): void {
  const gauge = (name: string, help: string) => metrics.gauge(`apiserver_flowcontrol_${name}`, help);
  gauge('seat_fair_frac', 'Share of its target that each level gets which no bound holds.').set(fairFraction);
  for (const { name, queues, demand, nominal, least, most } of levels) {
    const labels = { priority_level: name };
    const set = (metric: string, help: string, value: number) => gauge(metric, help).set(value, labels);
    const { highWatermark, average, deviation, smoothed } = demand.figures;
    set('nominal_limit_seats', "Seats of the level's own.", nominal);
    set('lower_limit_seats', 'Seats that the level cannot lose.', least);
    set('upper_limit_seats', 'Seats that the level can have at most.', most);
    set('current_limit_seats', 'Seats that the level has now.', queues.limit);
    for (const [schema, load] of queues.loads) {
      const own = { ...labels, flow_schema: schema };
      gauge('current_executing_seats', 'Seats in use.').set(load.seatsInUse, own);
      gauge('current_executing_requests', 'Requests that run.').set(load.executing, own);
      gauge('current_inqueue_requests', 'Requests that wait.').set(load.waiting, own);
    }
    set('demand_seats_high_watermark', 'Most seats wanted in the last period.', highWatermark);
    set('demand_seats_average', 'Seats wanted in the last period.', average);
    set('demand_seats_stdev', 'Deviation of the seats wanted in the last period.', deviation);
    set('demand_seats_smoothed', 'Seats wanted, smoothed over periods.', smoothed);
    set('current_r', 'Virtual time of the queues at its last change, in seconds.', queues.progressSeconds);
    set('target_seats', 'Seats that the level is to get.', Math.max(least, smoothed));
  }
}
