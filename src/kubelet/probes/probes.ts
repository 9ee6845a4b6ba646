// Liveness, readiness and startup probes.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/

import type { Container, Pod, Probe } from '../../api/api.ts';
import type { EventRecorder } from '../../client/client.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { ProbeResults } from '../pods/pod-actions.ts';
import { type ProbeOutcome, type ProbeTarget, runProbe } from './probe-handlers.ts';
import { ProbeCounts, probeMetrics } from './probe-metrics.ts';

const kinds = ['startup', 'liveness', 'readiness'] as const;
type Kind = (typeof kinds)[number];

/** The probe state of one container. */
interface Probed {
  readonly podUid: string;
  readonly pod: Pod;
  /** Of the container. */
  readonly name: string;
  readonly results: Map<Kind, boolean>;
  readonly workers: Map<Kind, ProbeWorker>;
}

/** Containers that started this long before the kubelet were observed by the kubelet before it. */
const ownStartMs = 10_000;

/** State of a container in the pod's status: a restart of the kubelet alone makes no container unready. */
function formerState({ status }: Pod, { name }: Container): { isReady: boolean; isStarted: boolean } {
  const found = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find(
    (container) => container.name === name,
  );
  const isReady = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return { isReady, isStarted: found?.started === true };
}

const titleOf = (kind: Kind): string => `${kind[0].toUpperCase()}${kind.slice(1)}`;

const periodOf = ({ periodSeconds = 10 }: Probe): number => periodSeconds * 1000;

/** Tries of a probe that cannot be made. */
const mostTries = 3;

const probeOf = (container: Container, kind: Kind): Probe | undefined =>
  kind === 'startup'
    ? container.startupProbe
    : kind === 'liveness'
      ? container.livenessProbe
      : container.readinessProbe;

export class ProbeManager implements ProbeResults {
  readonly #runtime: ContainerRuntime;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #changed: (podUid: string) => void;
  readonly #containers = new Map<string, Probed>();
  readonly #startedMs: number;

  constructor(runtime: ContainerRuntime, clock: Clock, events: EventRecorder, changed: (podUid: string) => void) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#events = events;
    this.#changed = changed;
    this.#startedMs = clock.now();
  }

  /** Starts the probes of a running container; repeated calls have no effect. */
  add(pod: Pod, container: Container, target: ProbeTarget): void {
    if (this.#containers.has(target.containerId)) return;
    const { uid } = pod.metadata;
    const probed: Probed = { podUid: uid, pod, name: container.name, results: new Map(), workers: new Map() };
    this.#containers.set(target.containerId, probed);
    const former = target.startedAt < this.#startedMs - ownStartMs ? formerState(pod, container) : undefined;
    if (container.readinessProbe) probed.results.set('readiness', former?.isReady === true);
    if (container.startupProbe && former?.isStarted) probed.results.set('startup', true);
    let readiness: ProbeWorker | undefined;
    for (const kind of kinds) {
      const probe = probeOf(container, kind);
      if (!probe) continue;
      const worker = new ProbeWorker(this.#clock, probe, target, {
        // Kubernetes' first liveness probe is one period after its kubelet saw the pod.
        delayMs: kind === 'liveness' ? periodOf(probe) : 0,
        run: () => this.#try(probe, container, target),
        waits: () =>
          kind !== 'startup' && container.startupProbe !== undefined && probed.results.get('startup') !== true,
        over: () => kind === 'startup' && probed.results.get('startup') === true,
        report: (outcome) => this.#report(pod, container, kind, outcome),
        result: (success) => {
          if (probed.results.get(kind) === success) return;
          probed.results.set(kind, success);
          if (kind === 'startup' && success) readiness?.hurry();
          this.#changed(probed.podUid);
        },
      });
      probed.workers.set(kind, worker);
      if (kind === 'readiness') readiness = worker;
      worker.start();
    }
  }

  /** A probe that could not be made is tried again at once. */
  async #try(probe: Probe, container: Container, target: ProbeTarget): Promise<ProbeOutcome> {
    for (let tried = 1; ; tried++) {
      const outcome = await runProbe(this.#runtime, this.#clock, probe, container, target);
      if (outcome.result !== 'error' || tried === mostTries) return outcome;
    }
  }

  #report(pod: Pod, container: Container, kind: Kind, outcome: ProbeOutcome): void {
    const title = `${titleOf(kind)} probe`;
    const { message } = outcome;
    const of = `spec.containers{${container.name}}`;
    const warn = (reason: string, text: string) => this.#events.event(pod, 'Warning', reason, `${title} ${text}`, of);
    if (outcome.result === 'failure') warn('Unhealthy', `failed: ${message}`);
    if (outcome.result === 'warning') warn('ProbeWarning', `warning: ${message}`);
    if (outcome.result === 'error') warn('Unhealthy', `errored and resulted in ${outcome.state} state: ${message}`);
  }

  remove(containerId: string): void {
    for (const worker of this.#containers.get(containerId)?.workers.values() ?? []) worker.stop();
    this.#containers.delete(containerId);
  }

  /** Stops the probes of the pod's containers, except those in `keep`. */
  removePod(podUid: string, keep: ReadonlySet<string> = new Set()): void {
    for (const [id, probed] of this.#containers) if (probed.podUid === podUid && !keep.has(id)) this.remove(id);
  }

  /** The container is being stopped: only readiness still matters, for the endpoints of its services. */
  keepReadiness(containerId: string): void {
    for (const kind of ['startup', 'liveness'] as const) this.#containers.get(containerId)?.workers.get(kind)?.stop();
  }

  keepReadinessOfPod(podUid: string): void {
    for (const [id, probed] of this.#containers) if (probed.podUid === podUid) this.keepReadiness(id);
  }

  liveness(id: string): boolean | undefined {
    return this.#containers.get(id)?.results.get('liveness');
  }

  startup(id: string): boolean | undefined {
    return this.#containers.get(id)?.results.get('startup');
  }

  /** Started: no startup probe, or it has succeeded. */
  isStarted(id: string, container: Container): boolean {
    return !container.startupProbe || this.startup(id) === true;
  }

  /** Ready: started, and without a readiness probe, or with one that succeeds. */
  isReady(id: string, container: Container): boolean {
    if (!this.isStarted(id, container)) return false;
    return !container.readinessProbe || this.#containers.get(id)?.results.get('readiness') === true;
  }

  /** /metrics/probes: of the containers that run. */
  metricsText(): string {
    const probed = [...this.#containers.values()].flatMap(({ pod, name, workers }) =>
      [...workers].map(([kind, { counts }]) => ({ pod, container: name, kind: titleOf(kind), counts })),
    );
    return probeMetrics(probed);
  }

  stop(): void {
    for (const id of [...this.#containers.keys()]) this.remove(id);
  }
}

interface WorkerHooks {
  /** Of the first probe, after the start of the container. */
  readonly delayMs: number;
  run(): Promise<ProbeOutcome>;
  /** True while another probe has to succeed first. */
  waits(): boolean;
  /** True if the result is final. */
  over(): boolean;
  report(outcome: ProbeOutcome): void;
  result(success: boolean): void;
}

/** Runs one probe of one container until stopped; a result counts after as many equal ones as its threshold. */
class ProbeWorker {
  readonly #clock: Clock;
  readonly #probe: Probe;
  readonly #target: ProbeTarget;
  readonly #hooks: WorkerHooks;
  #timer: Timer | undefined;
  #stopped = false;
  /** Whether the last round waited for another probe. */
  #waited = false;
  readonly counts = new ProbeCounts();
  #successes = 0;
  #failures = 0;

  constructor(clock: Clock, probe: Probe, target: ProbeTarget, hooks: WorkerHooks) {
    this.#clock = clock;
    this.#probe = probe;
    this.#target = target;
    this.#hooks = hooks;
  }

  start(): void {
    const delayMs = Math.max((this.#probe.initialDelaySeconds ?? 0) * 1000, this.#hooks.delayMs);
    const firstMs = this.#target.startedAt + delayMs;
    this.#schedule(Math.max(0, firstMs - this.#clock.now()));
  }

  /** Runs at once the probe that waited for its container's start. */
  hurry(): void {
    if (this.#stopped || !this.#waited) return;
    this.#timer?.cancel();
    void this.#turn();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(ms: number): void {
    if (this.#stopped || this.#hooks.over()) return;
    this.#timer = this.#clock.after(ms, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    const periodMs = periodOf(this.#probe);
    this.#waited = this.#hooks.waits();
    if (!this.#waited) {
      const beginMs = this.#clock.monotonic();
      const outcome = await this.#hooks.run();
      if (this.#stopped) return;
      this.counts.add(outcome.result, (this.#clock.monotonic() - beginMs) / 1000);
      this.#hooks.report(outcome);
      if (outcome.result !== 'error') this.#count(outcome.result !== 'failure');
    }
    this.#schedule(periodMs);
  }

  #count(success: boolean): void {
    this.#successes = success ? this.#successes + 1 : 0;
    this.#failures = success ? 0 : this.#failures + 1;
    if (success && this.#successes >= (this.#probe.successThreshold ?? 1)) this.#hooks.result(true);
    if (!success && this.#failures >= (this.#probe.failureThreshold ?? 3)) this.#hooks.result(false);
  }
}
