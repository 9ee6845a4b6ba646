// Metrics of webhooks: durations and decisions. https://kubernetes.io/docs/reference/instrumentation/metrics/

import type { Metrics } from '../../../machinery/metrics.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { Denied, WebhookFailure } from './failure.ts';

const prefix = 'apiserver_admission';
const durations = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
const conditionDurations = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];

/** The value of the label `type`. */
export type WebhookType = 'admit' | 'validating';

const families = (metrics: Metrics) => ({
  duration: metrics.histogram(
    `${prefix}_webhook_admission_duration_seconds`,
    'Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).',
    durations,
  ),
  requests: metrics.counter(
    `${prefix}_webhook_request_total`,
    'Admission webhook request total, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify whether the request was rejected or not and an HTTP status code. Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.',
  ),
  rejections: metrics.counter(
    `${prefix}_webhook_rejection_count`,
    'Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.',
  ),
  failOpen: metrics.counter(
    `${prefix}_webhook_fail_open_count`,
    'Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).',
  ),
  exclusions: metrics.counter(
    `${prefix}_match_condition_exclusions_total`,
    'Admission match condition evaluation exclusions count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).',
  ),
  conditionErrors: metrics.counter(
    `${prefix}_match_condition_evaluation_errors_total`,
    'Admission match condition evaluation errors count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).',
  ),
  conditionDuration: metrics.histogram(
    `${prefix}_match_condition_evaluation_seconds`,
    'Admission match condition evaluation time in seconds, identified by name and broken out for each kind containing matchConditions (webhook or policy), operation and type (validate or admit).',
    conditionDurations,
  ),
});

const made = new WeakMap<Metrics, ReturnType<typeof families>>();

function familiesOf(metrics: Metrics): ReturnType<typeof families> {
  let found = made.get(metrics);
  if (!found) made.set(metrics, (found = families(metrics)));
  return found;
}

const mostCode = 600;

/** Counts a call; `error` is its exception, and `isIgnored` whether the request continues regardless. */
export function observeCall(
  { server, operation }: AdmissionAttributes,
  { name, type, seconds }: { readonly name: string; readonly type: WebhookType; readonly seconds: number },
  { error, isIgnored }: { readonly error?: unknown; readonly isIgnored?: boolean } = {},
): void {
  const { duration, requests, rejections, failOpen } = familiesOf(server.metrics);
  const rejected = String(error !== undefined && !isIgnored);
  const { errorType, code } = outcomeOf(error);
  const labels = { name, type, operation };
  duration.observe(seconds, { ...labels, rejected });
  requests.add(1, { ...labels, code: String(code), rejected });
  if (rejected === 'true') rejections.add(1, { ...labels, error_type: errorType, rejection_code: String(code) });
  if (isIgnored) failOpen.add(1, { name, type });
}

function outcomeOf(error: unknown): { readonly errorType: string; readonly code: number } {
  if (error === undefined) return { errorType: 'no_error', code: 200 };
  if (error instanceof WebhookFailure)
    return { errorType: 'calling_webhook_error', code: Math.min(error.code, mostCode) };
  if (error instanceof Denied) return { errorType: 'no_error', code: Math.min(error.status.code ?? 0, mostCode) };
  return { errorType: 'apiserver_internal_error', code: 0 };
}

export interface Conditioned {
  /** Of the policy or the webhook. */
  readonly name: string;
  readonly kind: 'webhook' | 'policy';
  readonly type: WebhookType | 'validate';
}

/** Counts an evaluation of match conditions. */
export function observeConditions(
  { server, operation }: AdmissionAttributes,
  { name, kind, type }: Conditioned,
  { seconds, errors, isExcluded }: { readonly seconds: number; readonly errors: number; readonly isExcluded: boolean },
): void {
  const { conditionDuration, conditionErrors, exclusions } = familiesOf(server.metrics);
  const labels = { name, kind, type, operation };
  if (isExcluded || errors) conditionDuration.observe(seconds, labels);
  if (errors) conditionErrors.add(errors, labels);
  if (isExcluded && kind === 'webhook') exclusions.add(1, labels);
}
