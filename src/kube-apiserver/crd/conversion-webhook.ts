// Converts custom resources between their versions through a webhook.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion

import {
  type ApiObject,
  type CustomResourceDefinition,
  type ObjectConverter,
  validateAnnotations,
  validateLabels,
  type WebhookClientConfig,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { isFields, listIn } from '../../machinery/parsed.ts';
import { parseJson } from '../../machinery/text/json.ts';
import { postReview } from '../admission-plugins/webhooks/call.ts';
import type { Server } from '../server.ts';
import { plainError } from '../status.ts';
import { inSpan } from '../tracing/tracing.ts';

const timeoutSeconds = 30;
const reviewVersions = ['v1', 'v1beta1'];

/** Undefined where the definition names no webhook. */
export function conversionWebhook(
  server: Server,
  client: Client,
  { metadata, spec }: CustomResourceDefinition,
): ObjectConverter | undefined {
  const { strategy, webhook } = spec.conversion ?? {};
  const { clientConfig } = webhook ?? {};
  if (strategy !== 'Webhook' || !clientConfig) return undefined;
  const version = webhook?.conversionReviewVersions?.find((one) => reviewVersions.includes(one));
  return async (objects, apiVersion) => {
    const { kind } = objects[0];
    const from = `${objects[0].apiVersion}, Kind=${kind}`;
    const fail = (why: string) => plainError(`conversion webhook for ${from} ${why}`);
    if (!version) throw plainError('no supported conversion review versions');
    const uid = server.random.uuid();
    const request = { uid, desiredAPIVersion: apiVersion, objects };
    const review = { kind: 'ConversionReview', apiVersion: `apiextensions.k8s.io/${version}`, request };
    const call = {
      clientConfig: clientConfig as WebhookClientConfig,
      review,
      timeoutSeconds,
      client,
      clock: server.clock,
      tracing: server.tracing,
    };
    const spanAttributes = () => ({
      'custom-resource-definition': metadata.name ?? '',
      'desired-api-version': apiVersion,
      'object-count': objects.length,
      UID: uid,
    });
    const answer = await inSpan(server, 'Call conversion webhook', spanAttributes, () => postReview(call))
      .then((text) => parseJson(text).value as ConversionReview | null)
      .catch((error: Error) => {
        throw fail(`failed: ${error.message}`);
      });
    const converted = convertedObjects(answer, version, uid, (why) => fail(`failed: ${why}`));
    if (converted.length !== objects.length)
      throw fail(`returned ${converted.length} objects, expected ${objects.length}`);
    return objects.map((object, i) => checked(object, converted[i], apiVersion, i, fail));
  };
}

/** As far as a webhook answers it. */
interface ConversionReview {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly response?: {
    readonly uid?: string;
    readonly result?: { readonly status?: string; readonly message?: string };
    readonly convertedObjects?: unknown;
  };
}

function convertedObjects(
  answer: ConversionReview | null,
  version: string,
  uid: string,
  fail: (why: string) => Error,
): readonly unknown[] {
  const wanted = `apiextensions.k8s.io/${version}, Kind=ConversionReview`;
  const got = `${answer?.apiVersion ?? ''}, Kind=${answer?.kind ?? ''}`;
  if (version === 'v1' && got !== wanted) throw fail(`expected webhook response of ${wanted}, got ${got}`);
  const response = answer?.response;
  if (!response) throw fail('no response provided');
  if (version === 'v1' && response.uid !== uid)
    throw fail(`expected response.uid="${uid}", got ${JSON.stringify(response.uid ?? '')}`);
  const { status = '', message } = response.result ?? {};
  if (status !== 'Success') throw fail(message || `response.result.status was '${status}', not 'Success'`);
  return listIn(response.convertedObjects);
}

/** The converted object with the metadata of the original: a webhook may change labels and annotations alone. */
function checked(
  original: ApiObject,
  converted: unknown,
  apiVersion: string,
  index: number,
  fail: (why: string) => Error,
): ApiObject {
  const refuse = (why: string) => fail(`returned invalid converted object at index ${index}: ${why}`);
  const refuseMetadata = (why: string) => fail(`returned invalid metadata in object at index ${index}: ${why}`);
  if (!isFields(converted)) throw refuse('it is no object');
  if (converted['apiVersion'] !== apiVersion)
    throw refuse(`invalid groupVersion (expected ${apiVersion}, received ${converted['apiVersion'] ?? ''})`);
  if (converted['kind'] !== original.kind)
    throw refuse(`invalid kind (expected ${original.kind}, received ${converted['kind'] ?? ''})`);
  const { metadata } = converted;
  if (metadata === undefined) throw refuseMetadata('missing metadata in converted object');
  if (!isFields(metadata)) throw refuseMetadata('invalid metadata in converted object');
  for (const [field, shown] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const)
    if ((metadata[field] ?? '') !== (original.metadata[field] ?? ''))
      throw refuse(`must have the same ${shown}: ${original.metadata[field] ?? ''} != ${metadata[field] ?? ''}`);
  const restored: ApiObject['metadata'] = { ...original.metadata };
  for (const field of ['labels', 'annotations'] as const) {
    const values = metadata[field];
    delete restored[field];
    if (values === undefined || values === null) continue;
    const faults = mapFaults(field, values);
    if (faults.length > 0) throw refuseMetadata(faults.join(', '));
    restored[field] = values as Record<string, string>;
  }
  return { ...converted, metadata: restored };
}

function mapFaults(field: 'labels' | 'annotations', values: unknown): string[] {
  if (typeof values !== 'object' || Array.isArray(values)) return [`invalid metadata.${field} in converted object`];
  for (const [key, value] of Object.entries(values as object))
    if (typeof value !== 'string') return [`metadata.${field}[${key}] must be a string in converted object`];
  const map = values as Record<string, string>;
  const errors =
    field === 'labels' ? validateLabels(map, 'metadata.labels') : validateAnnotations(map, 'metadata.annotations');
  return errors.map((error) => `${error.field}: ${error.message}`);
}
