import { forbidden, type Pod } from '../../api/api.ts';
import type { RemoteServer } from '../../client/client.ts';
import type { Shape } from '../../machinery/fields/configuration-shape.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { RecentAnswers } from '../access/recent-answers.ts';
import { reviewRemotely } from '../access/remote.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

export interface ImagePolicy {
  readonly server: RemoteServer;
  readonly allowTtlMs: number;
  readonly denyTtlMs: number;
  readonly retryBackoffMs: number;
  /** Images are allowed while the server fails. */
  readonly defaultAllow: boolean;
}

interface ReviewStatus {
  readonly allowed?: boolean;
  readonly reason?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

const statusShape = {
  allowed: 'boolean',
  reason: 'string',
  auditAnnotations: 'map of strings',
} as const satisfies Shape;

const auditPrefix = 'imagepolicywebhook.image-policy.k8s.io/';
const timeoutMs = 30_000;

/**
 * Another server decides about images by ImageReviews.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#imagepolicywebhook
 */
export function imagePolicyWebhook(policy: ImagePolicy, clock: Clock): AdmissionPlugin {
  const answers = new RecentAnswers<ReviewStatus>(clock);
  const review = (spec: object) =>
    answers.get(JSON.stringify(spec), async () => {
      const body = { kind: 'ImageReview', apiVersion: 'imagepolicy.k8s.io/v1alpha1', spec };
      const call = { body, timeoutMs, firstRetryMs: policy.retryBackoffMs, shape: statusShape };
      const value = await reviewRemotely<ReviewStatus>(policy.server, call, clock);
      return { value, ttlMs: value.allowed ? policy.allowTtlMs : policy.denyTtlMs };
    });
  return {
    name: 'ImagePolicyWebhook',
    validate(attributes) {
      const { operation, kind, subresource } = attributes;
      if ((operation !== 'CREATE' && operation !== 'UPDATE') || kind.group !== '' || kind.resource !== 'pods') return;
      if (!subresource || subresource === 'ephemeralcontainers') return judge(attributes, policy, review);
    },
  };
}

async function judge(
  attributes: AdmissionAttributes,
  { defaultAllow }: ImagePolicy,
  review: (spec: object) => Promise<ReviewStatus>,
): Promise<void> {
  const { kind, name, object } = attributes;
  const answer = await review(specOf(attributes)).catch((error: Error) => error);
  if (answer instanceof Error) {
    if (!defaultAllow) throw forbidden(kind, name, answer.message);
    attributes.annotate(`${auditPrefix}failed-open`, 'true');
    const { metadata } = object as Pod;
    metadata.annotations = { ...metadata.annotations, 'alpha.image-policy.k8s.io/failed-open': 'true' };
    return;
  }
  for (const [key, value] of Object.entries(answer.auditAnnotations ?? {}))
    attributes.annotate(auditPrefix + key, value);
  if (answer.allowed) return;
  throw forbidden(
    kind,
    name,
    answer.reason
      ? `image policy webhook backend denied one or more images: ${answer.reason}`
      : 'one or more images rejected by webhook backend',
  );
}

function specOf({ object, subresource, namespace }: AdmissionAttributes): object {
  const { metadata, spec } = object as Pod;
  const containers = subresource
    ? (spec.ephemeralContainers ?? [])
    : [...spec.containers, ...(spec.initContainers ?? [])];
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) =>
    key.includes('.image-policy.k8s.io/'),
  );
  return {
    containers: containers.map(({ image }) => ({ image })),
    ...(annotations.length && { annotations: Object.fromEntries(annotations) }),
    ...(namespace && { namespace }),
  };
}
