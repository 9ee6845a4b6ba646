// The configured authorizers, in order.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#using-configuration-file-for-authorization

import path from 'node:path';
import { duplicate, type FieldError, invalidValue, notSupported, required, tooMany } from '../../api/api.ts';
import type { Shape } from '../../machinery/fields/configuration-shape.ts';
import { dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import { parseDuration } from '../../machinery/time/duration.ts';
import { AccessConfigurationError, readConfiguration, refuseFaults } from './configuration-file.ts';
import { compileMatchCondition } from './webhook/match-conditions.ts';

export interface AuthorizationWebhookConfiguration {
  /** Durations as Go writes them, such as 30s. */
  readonly authorizedTTL?: string;
  readonly cacheAuthorizedRequests?: boolean;
  readonly unauthorizedTTL?: string;
  readonly cacheUnauthorizedRequests?: boolean;
  readonly timeout: string;
  readonly subjectAccessReviewVersion: string;
  readonly matchConditionSubjectAccessReviewVersion?: string;
  readonly failurePolicy: 'NoOpinion' | 'Deny';
  readonly connectionInfo: { readonly type: string; readonly kubeConfigFile?: string };
  readonly matchConditions?: readonly { readonly expression: string }[];
}

export type AuthorizerEntry =
  | { readonly type: 'Node' | 'RBAC' | 'AlwaysAllow' | 'AlwaysDeny'; readonly name: string }
  | { readonly type: 'Webhook'; readonly name: string; readonly webhook: AuthorizationWebhookConfiguration };

const shape: Shape = {
  authorizers: [
    {
      type: 'string',
      name: 'string',
      webhook: {
        authorizedTTL: 'string',
        cacheAuthorizedRequests: 'boolean',
        unauthorizedTTL: 'string',
        cacheUnauthorizedRequests: 'boolean',
        timeout: 'string',
        subjectAccessReviewVersion: 'string',
        matchConditionSubjectAccessReviewVersion: 'string',
        failurePolicy: 'string',
        connectionInfo: { type: 'string', kubeConfigFile: 'string' },
        matchConditions: [{ expression: 'string' }],
      },
    },
  ],
};

/** The types of Kubernetes. */
const types = ['ABAC', 'AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'];
const mostConditions = 64;
const longestTimeoutMs = 30_000;

/**
 * `initial` is that of the start: its types other than webhooks must stay, and Node and RBAC cannot be added. Throws
 * AccessConfigurationError.
 */
export function parseAuthorizationConfiguration(
  text: string,
  initial?: readonly AuthorizerEntry[],
): readonly AuthorizerEntry[] {
  const versions = ['v1', 'v1beta1', 'v1alpha1'];
  const given = readConfiguration<{ authorizers?: AuthorizerEntry[] }>(
    text,
    'AuthorizationConfiguration',
    versions,
    shape,
  );
  const authorizers = given.authorizers ?? [];
  refuseFaults(
    authorizers.length > 0
      ? [...authorizerFaults(authorizers)]
      : [required('authorizers', 'at least one authorization mode must be defined')],
  );
  if (authorizers.some(({ type }) => (type as string) === 'ABAC'))
    throw new AccessConfigurationError('authorizers: type ABAC is not supported: use RBAC or a webhook');
  if (initial) refuseOtherTypes(authorizers, initial);
  return authorizers;
}

function refuseOtherTypes(authorizers: readonly AuthorizerEntry[], initial: readonly AuthorizerEntry[]): void {
  const [next, former] = [authorizers, initial].map((entries) => new Set(entries.map(({ type }) => type)));
  const missing = [...former.difference(next)].filter((type) => type !== 'Webhook').sort();
  if (missing.length > 0) throw new AccessConfigurationError(`missing required types: [${missing.join(' ')}]`);
  const added = (['Node', 'RBAC'] as const).find((type) => next.has(type) && !former.has(type));
  if (added)
    throw new AccessConfigurationError(
      `authorizer type ${added} is not allowed if it was not enabled at initial server startup`,
    );
}

function* authorizerFaults(authorizers: readonly AuthorizerEntry[]): Generator<FieldError> {
  const seenTypes = new Set<string>();
  const seenNames = new Set<string>();
  for (const [index, entry] of authorizers.entries()) {
    const at = `authorizers[${index}]`;
    const { type = '', name = '' } = entry as { type?: string; name?: string };
    if (!type) yield required(`${at}.type`);
    else if (!types.includes(type)) yield notSupported(`${at}.type`, type, types);
    else if (seenTypes.has(type) && type !== 'Webhook') yield duplicate(`${at}.type`, type);
    else {
      seenTypes.add(type);
      yield* nameFaults(name, `${at}.name`, seenNames);
      seenNames.add(name);
      yield* kindFaults(entry, at);
    }
  }
}

function* nameFaults(name: string, path: string, seen: ReadonlySet<string>): Generator<FieldError> {
  const faults = dns1123SubdomainFaults(name);
  if (!name) yield required(path);
  else if (seen.has(name)) yield duplicate(path, name);
  else if (faults.length > 0) yield invalidValue(path, name, `authorizer name is invalid: ${faults.join(', ')}`);
}

function* kindFaults(entry: AuthorizerEntry, path: string): Generator<FieldError> {
  const { webhook } = entry as { webhook?: Partial<AuthorizationWebhookConfiguration> };
  if (entry.type !== 'Webhook') {
    if (webhook) yield invalidValue(`${path}.webhook`, 'non-null', 'may only be specified when type=Webhook');
  } else if (webhook) yield* webhookFaults(webhook, path);
  else yield required(`${path}.webhook`, 'required when type=Webhook');
}

function* webhookFaults(webhook: Partial<AuthorizationWebhookConfiguration>, path: string): Generator<FieldError> {
  yield* durationFaults(webhook.timeout, `${path}.timeout`, longestTimeoutMs);
  yield* durationFaults(webhook.authorizedTTL ?? '5m', `${path}.authorizedTTL`);
  yield* durationFaults(webhook.unauthorizedTTL ?? '30s', `${path}.unauthorizedTTL`);
  yield* oneOfFaults(webhook.subjectAccessReviewVersion, `${path}.subjectAccessReviewVersion`, ['v1', 'v1beta1']);
  const conditionVersion = webhook.matchConditionSubjectAccessReviewVersion;
  const conditionPath = `${path}.matchConditionSubjectAccessReviewVersion`;
  if (conditionVersion) yield* oneOfFaults(conditionVersion, conditionPath, ['v1']);
  else if (webhook.matchConditions?.length) yield required(conditionPath, 'required if match conditions are specified');
  yield* oneOfFaults(webhook.failurePolicy, `${path}.failurePolicy`, ['NoOpinion', 'Deny']);
  yield* connectionFaults(webhook.connectionInfo, `${path}.connectionInfo`);
  yield* conditionFaults(webhook.matchConditions ?? [], `${path}.matchConditions`);
}

function* oneOfFaults(value: string | undefined, path: string, allowed: readonly string[]): Generator<FieldError> {
  if (!value) yield required(path);
  else if (!allowed.includes(value)) yield notSupported(path, value, allowed);
}

function* durationFaults(text: string | undefined, path: string, mostMs?: number): Generator<FieldError> {
  const ms = text === undefined ? 0 : parseDuration(text);
  if (ms === undefined) yield invalidValue(path, text, 'must be a duration such as 3s');
  else if (ms === 0) yield required(path);
  else if (mostMs !== undefined && (ms < 0 || ms > mostMs)) yield invalidValue(path, text, 'must be > 0s and <= 30s');
  else if (ms < 0) yield invalidValue(path, text, 'must be > 0s');
}

function* connectionFaults(
  info: Partial<AuthorizationWebhookConfiguration['connectionInfo']> = {},
  at: string,
): Generator<FieldError> {
  const { type, kubeConfigFile } = info;
  const file = `${at}.kubeConfigFile`;
  if (type === 'KubeConfigFile') {
    if (!kubeConfigFile) yield required(file);
    else if (!path.isAbsolute(kubeConfigFile)) yield invalidValue(file, kubeConfigFile, 'must be an absolute path');
  } else if (type === 'InClusterConfig') yield invalidValue(`${at}.type`, type, 'an API server cannot ask itself');
  else yield* oneOfFaults(type, `${at}.type`, ['InClusterConfig', 'KubeConfigFile']);
}

function* conditionFaults(
  conditions: NonNullable<AuthorizationWebhookConfiguration['matchConditions']>,
  path: string,
): Generator<FieldError> {
  if (conditions.length > mostConditions) return void (yield tooMany(path, conditions.length, mostConditions));
  const seen = new Set<string>();
  for (const [index, { expression = '' }] of conditions.entries()) {
    const at = `${path}[${index}].expression`;
    if (!expression.trim()) yield required(at);
    else if (seen.has(expression)) yield duplicate(at, expression);
    else yield* compileMatchCondition(expression, at).faults;
    seen.add(expression);
  }
}
