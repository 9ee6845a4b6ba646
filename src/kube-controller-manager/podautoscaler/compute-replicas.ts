// The largest number of replicas that the metrics of an autoscaler ask for.

import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  Pod,
  Scale,
} from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import { type LabelSelector, labelSelectorSteps } from '../../machinery/selectors/label-selector.ts';
import { finishInPauses } from '../../machinery/time/steps.ts';
import type { AutoscalerConfig } from './config.ts';
import { MetricFailure, type MetricProposal, proposeFor } from './metric-proposal.ts';
import { type Action, Observations } from './observations.ts';
import type { Tolerances } from './replica-count.ts';
import type { ServedKinds } from './scale-target.ts';
import type { StatusDraft } from './status.ts';

interface Computation {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly scale: Scale;
  readonly config: Required<AutoscalerConfig>;
  readonly tolerances: Tolerances;
  readonly draft: StatusDraft;
  readonly tools: Tools;
  readonly kinds: ServedKinds;
  /** Keeps the selector of the target, for `selecting`. */
  remember(selector: LabelSelector): void;
  /** Autoscalers whose selector matches one of the pods, as messages show them. */
  selecting(pods: readonly Pod[]): string[];
}

interface Computed {
  /** Undefined: the metrics do not allow a decision. */
  readonly best?: MetricProposal;
  /** One for each metric; undefined when none was read. */
  readonly metrics?: readonly MetricStatus[];
  readonly failure?: string;
}

/** Also writes events and sets the condition ScalingActive. */
export async function computeReplicas(computation: Computation): Promise<Computed> {
  const { autoscaler, scale, draft } = computation;
  const { metrics: specs = [] } = autoscaler.spec;
  const selected = await selectPods(computation);
  if (typeof selected === 'string') return { failure: selected };
  const { best, metrics, failures } = await proposals(computation, specs, selected);
  const [first] = failures;
  const failure =
    first && `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first.message}`;
  // A failed metric might ask for more replicas, so the others may not scale down.
  if (first && (!best || best.replicas < (scale.spec?.replicas ?? 0))) {
    const message = `the HPA was unable to compute the replica count: ${first.shown}`;
    draft.condition('ScalingActive', false, { reason: first.reason, message });
    return { metrics, failure };
  }
  if (best) {
    const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    draft.condition('ScalingActive', true, { reason: 'ValidMetricFound', message });
  }
  return { ...(best && { best }), metrics, ...(failure && { failure }) };
}

/** One status for each metric, the proposal with the most replicas, and the metrics without a proposal. */
async function proposals(computation: Computation, specs: readonly MetricSpec[], pods: readonly Pod[]) {
  const { autoscaler, scale, tools, config } = computation;
  const observations = new Observations(tools.metrics);
  const measurable = {
    client: tools.client,
    namespace: autoscaler.metadata.namespace ?? '',
    selector: scale.status?.selector ?? '',
    target: {
      pods,
      replicas: scale.spec?.replicas ?? 0,
      tolerances: computation.tolerances,
      times: config,
      nowMs: tools.clock.now(),
    },
    statusReplicas: scale.status?.replicas ?? 0,
    resourceOf: (reference: CrossVersionObjectReference) => resourceOf(computation, reference),
  };
  const metrics: MetricStatus[] = [];
  const failures: MetricFailure[] = [];
  let best: MetricProposal | undefined;
  for (const spec of specs) {
    const startedMs = tools.clock.monotonic();
    const took = () => tools.clock.monotonic() - startedMs;
    try {
      const proposal = await proposeFor(spec, measurable);
      const action = actionOf(autoscaler.status?.currentReplicas ?? 0, proposal.replicas);
      observations.computation(spec.type, action, 'none', took());
      metrics.push(proposal.status);
      if (!best?.replicas || proposal.replicas > best.replicas) best = proposal;
    } catch (error) {
      if (!(error instanceof MetricFailure)) throw error;
      observations.computation(spec.type, 'none', error.isOfSpec ? 'spec' : 'internal', took());
      tools.events.event(autoscaler, 'Warning', error.reason, error.shown);
      metrics.push({ type: '' });
      failures.push(error);
    }
  }
  return { best, metrics, failures };
}

export const actionOf = (from: number, to: number): Action =>
  to > from ? 'scale_up' : to < from ? 'scale_down' : 'none';

/** The pods of the target, or the reason why they cannot be chosen. */
async function selectPods(computation: Computation): Promise<readonly Pod[] | string> {
  const { autoscaler, scale, draft, tools } = computation;
  const refuse = (event: string, message: string, reason = event, shown = message) => {
    tools.events.event(autoscaler, 'Warning', event, message);
    draft.condition('ScalingActive', false, { reason, message: shown });
    return message;
  };
  const text = scale.status?.selector ?? '';
  if (!text) {
    const missing = "the HPA target's scale is missing a selector";
    return refuse('SelectorRequired', 'selector is required', 'InvalidSelector', missing);
  }
  let selector: LabelSelector;
  try {
    selector = await finishInPauses(labelSelectorSteps(text), tools.clock);
  } catch (error) {
    const why = "couldn't convert selector into a corresponding internal selector object";
    return refuse('InvalidSelector', `${why}: ${(error as Error).message}`);
  }
  computation.remember(selector);
  const all = tools.lister('pods').list(autoscaler.metadata.namespace);
  const pods = all.filter(({ metadata }) => selector.matches(metadata.labels ?? {}));
  const selecting = computation.selecting(pods).sort();
  if (selecting.length > 1)
    return refuse(
      'AmbiguousSelector',
      `pods by selector ${text} are controlled by multiple HPAs: [${selecting.join(' ')}]`,
    );
  return pods;
}

async function resourceOf({ tools, kinds }: Computation, reference: CrossVersionObjectReference): Promise<string> {
  const [{ group, resource }] = await kinds.of(tools.client, reference);
  return group ? `${resource}.${group}` : resource;
}
