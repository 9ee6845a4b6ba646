// Durations of admission: of both phases, and of each plugin.

import type { HistogramSeries, Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';

const seconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const summaryMs = 5 * 3_600_000;

export type AdmissionPhase = 'admit' | 'validate';
type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

interface Plugin {
  readonly name: string;
}

interface Observed {
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Series by operation, then phase, then whether the request was rejected. */
type ByOutcome = Readonly<
  Record<Operation, Readonly<Record<AdmissionPhase, readonly [HistogramSeries, HistogramSeries]>>>
>;

class AdmissionMetrics {
  readonly #steps: ByOutcome;
  readonly #summaries: ByOutcome;
  readonly #byPlugin = new WeakMap<Plugin, ByOutcome>();
  readonly #ofPlugin: (plugin: Plugin) => ByOutcome;

  constructor({ metrics, clock }: Observed) {
    const help = 'broken out for each operation and API resource and';
    const steps = metrics.histogram(
      'apiserver_admission_step_admission_duration_seconds',
      `Admission sub-step latency histogram in seconds, ${help} step type (validate or admit).`,
      seconds,
    );
    const summaries = metrics.summary(
      'apiserver_admission_step_admission_duration_seconds_summary',
      `Admission sub-step latency summary in seconds, ${help} step type (validate or admit).`,
      { maxAgeMs: summaryMs, now: () => clock.monotonic() },
    );
    const controllers = metrics.histogram(
      'apiserver_admission_controller_admission_duration_seconds',
      `Admission controller latency histogram in seconds, identified by name and ${help} type (validate or admit).`,
      seconds,
    );
    this.#steps = byOutcome((labels) => steps.at(labels));
    this.#summaries = byOutcome((labels) => summaries.at(labels));
    this.#ofPlugin = ({ name }) => byOutcome((labels) => controllers.at({ name, ...labels }));
  }

  step(operation: Operation, phase: AdmissionPhase, ms: number, isRejected: boolean): void {
    const index = isRejected ? 1 : 0;
    this.#steps[operation][phase][index].observe(ms / 1_000);
    this.#summaries[operation][phase][index].observe(ms / 1_000);
  }

  plugin(plugin: Plugin, operation: Operation, phase: AdmissionPhase, ms: number, isRejected: boolean): void {
    let series = this.#byPlugin.get(plugin);
    if (!series) this.#byPlugin.set(plugin, (series = this.#ofPlugin(plugin)));
    series[operation][phase][isRejected ? 1 : 0].observe(ms / 1_000);
  }
}

const made = new WeakMap<object, AdmissionMetrics>();

export function admissionMetrics(server: Observed): AdmissionMetrics {
  let found = made.get(server.metrics);
  if (!found) made.set(server.metrics, (found = new AdmissionMetrics(server)));
  return found;
}

interface OutcomeLabels extends Readonly<Record<string, string>> {
  readonly operation: Operation;
  readonly rejected: 'true' | 'false';
  readonly type: AdmissionPhase;
}

/** Makes each series on its first use: most never occur. */
function byOutcome(at: (labels: OutcomeLabels) => HistogramSeries): ByOutcome {
  const lazy = (labels: OutcomeLabels): HistogramSeries => {
    let series: HistogramSeries | undefined;
    return { observe: (value) => (series ??= at(labels)).observe(value) };
  };
  const both = (operation: Operation, type: AdmissionPhase) =>
    [lazy({ operation, rejected: 'false', type }), lazy({ operation, rejected: 'true', type })] as const;
  const of = (operation: Operation) => ({ admit: both(operation, 'admit'), validate: both(operation, 'validate') });
  return { CREATE: of('CREATE'), UPDATE: of('UPDATE'), DELETE: of('DELETE'), CONNECT: of('CONNECT') };
}
