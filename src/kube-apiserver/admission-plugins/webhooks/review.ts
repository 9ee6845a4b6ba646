// One AdmissionReview: its request, and its response.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request

import { badRequest, type MutatingWebhook, type ValidatingWebhook } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { isObject } from '../../../machinery/fields/configuration-shape.ts';
import { parseJson } from '../../../machinery/text/json.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { failure } from '../../status.ts';
import { inSpan } from '../../tracing/tracing.ts';
import { requestOf } from '../policies/request.ts';
import type { Shown } from '../versions.ts';
import { postReview } from './call.ts';
import { Denied, WebhookFailure } from './failure.ts';
import type { WebhookUsers } from './users.ts';

export type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;

export interface Asking {
  readonly attributes: AdmissionAttributes;
  readonly client: Client;
  readonly users: WebhookUsers | undefined;
}

interface Answer {
  /** Text of a JSON patch; undefined for none. */
  readonly patch?: string;
}

/**
 * Sends a webhook the objects in the version of its rule. Throws WebhookFailure without a usable response, or the
 * refusal.
 */
export async function ask(webhook: Webhook, shown: Shown, isMutating: boolean, asking: Asking): Promise<Answer> {
  const { attributes, client, users } = asking;
  const { name, clientConfig, timeoutSeconds = 10, sideEffects } = webhook;
  if (attributes.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  const version = webhook.admissionReviewVersions.find((one) => versions.includes(one)) ?? 'v1';
  const uid = attributes.server.random.uuid();
  const { object, oldObject, kind } = shown;
  const review = {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: { uid, ...requestOf(attributes, kind), object: object ?? null, oldObject: oldObject ?? null },
  };
  const { clock, tracing } = attributes.server;
  const call = { clientConfig, review, timeoutSeconds, client, clock, tracing, users };
  const spanName = isMutating ? 'Call mutating webhook' : 'Call validating webhook';
  const spanAttributes = () => {
    const { resource, subresource, operation } = attributes;
    return { webhook: name, resource, subresource, operation, UID: uid };
  };
  const post = () => postReview(call);
  const text = await inSpan(attributes.server, spanName, spanAttributes, post).catch((error: Error) => {
    throw called(error);
  });
  const response = responseIn(text, { uid, version, isMutating });
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {}))
    attributes.annotate(`${name}/${key}`, value);
  for (const warning of response.warnings ?? []) attributes.warn(warning);
  if (!response.allowed) throw denial(name, response.status);
  return response.patch ? { patch: Buffer.from(response.patch, 'base64').toString() } : {};
}

/** The supported versions of AdmissionReview. */
const versions = ['v1', 'v1beta1'];

const called = (error: Error) =>
  new WebhookFailure(`failed to call webhook: ${error.message}`, error instanceof WebhookFailure ? error.code : 503);

interface ReviewResponse {
  readonly uid?: string | null;
  readonly allowed?: boolean | null;
  readonly status?: RefusalStatus | null;
  /** Base64. */
  readonly patch?: string | null;
  readonly patchType?: string | null;
  readonly auditAnnotations?: Readonly<Record<string, string>> | null;
  readonly warnings?: readonly string[] | null;
}

interface RefusalStatus {
  readonly code?: number | null;
  readonly reason?: string | null;
  readonly message?: string | null;
  readonly details?: object | null;
}

interface Expected {
  readonly uid: string;
  readonly version: string;
  readonly isMutating: boolean;
}

function responseIn(text: string, { uid, version, isMutating }: Expected): ReviewResponse {
  const { response, apiVersion, kind } = parsed(text);
  const invalid = (why: string) => new WebhookFailure(`received invalid webhook response: ${why}`);
  if (response === undefined || response === null) throw invalid('webhook response was absent');
  if (version === 'v1') {
    if (response.uid !== uid)
      throw invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
    const got = `${apiVersion ?? '/'}, Kind=${kind ?? ''}`;
    const wanted = 'admission.k8s.io/v1, Kind=AdmissionReview';
    if (got !== wanted) throw invalid(`expected webhook response of ${wanted}, got ${got}`);
    const fault = patchFault(response, isMutating);
    if (fault) throw invalid(fault);
  }
  if (!isMutating) return { ...response, patch: null };
  if (response.patch && version === 'v1' && response.patchType !== 'JSONPatch')
    throw new WebhookFailure(`unsupported patch type ${JSON.stringify(response.patchType)}`);
  return response;
}

function patchFault({ patch, patchType }: ReviewResponse, isMutating: boolean): string | undefined {
  const hasType = patchType !== undefined && patchType !== null;
  if (!isMutating) {
    if (patch) return 'validating webhook may not return response.patch';
    return hasType ? 'validating webhook may not return response.patchType' : undefined;
  }
  if (patch && !hasType) return 'webhook returned response.patch but not response.patchType';
  if (!patch && hasType) return 'webhook returned response.patchType but not response.patch';
  return patchType === '' ? 'webhook returned invalid response.patchType of ""' : undefined;
}

interface Review {
  readonly apiVersion?: string | null;
  readonly kind?: string | null;
  readonly response?: ReviewResponse | null;
}

/** A review whose fields have the types that they should have. */
function parsed(text: string): Review {
  const unusable = (why: string) => new WebhookFailure(`failed to call webhook: ${why}`, 500);
  let review: unknown;
  try {
    review = parseJson(text).value;
  } catch (error) {
    throw unusable((error as Error).message);
  }
  if (!isObject(review)) throw unusable('the answer is no AdmissionReview');
  const fault = [...faultsOf(review, reviewTypes, 'AdmissionReview')][0];
  if (fault) throw unusable(fault);
  return review as Review;
}

type Test = (value: unknown) => boolean;
type Types = { readonly [field: string]: readonly [type: string, test: Test] | Types };

const text: readonly [string, Test] = ['string', (value) => typeof value === 'string'];
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const reviewTypes: Types = {
  apiVersion: text,
  kind: text,
  response: {
    uid: text,
    allowed: ['bool', (value) => typeof value === 'boolean'],
    patch: ['[]uint8', (value) => typeof value === 'string' && base64.test(value)],
    patchType: text,
    warnings: ['[]string', (value) => Array.isArray(value) && value.every((one) => typeof one === 'string')],
    auditAnnotations: [
      'map[string]string',
      (value) => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
    ],
    status: {
      code: ['int32', (value) => Number.isInteger(value)],
      reason: text,
      message: text,
      details: ['StatusDetails', isObject],
    },
  },
};

function* faultsOf(value: Readonly<Record<string, unknown>>, types: Types, path: string): Generator<string> {
  for (const [field, expected] of Object.entries(types)) {
    const part = value[field];
    if (part === undefined || part === null) continue;
    const at = `${path}.${field}`;
    if (Array.isArray(expected)) {
      if (!expected[1](part)) yield `json: cannot unmarshal ${at} into a value of type ${expected[0]}`;
    } else if (isObject(part)) yield* faultsOf(part, expected as Types, at);
    else yield `json: cannot unmarshal ${at} into an object`;
  }
}

function denial(name: string, status: RefusalStatus | null | undefined) {
  const { code, reason, message, details } = status ?? {};
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = message || reason;
  const text = why ? `${by}: ${why}` : `${by} without explanation`;
  return new Denied(failure(code && code >= 400 ? code : 400, reason ?? undefined, text, details ?? undefined).status);
}
