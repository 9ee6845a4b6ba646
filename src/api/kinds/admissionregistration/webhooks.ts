// Both webhook configurations: they differ in the reinvocation policy.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

import { dns1035LabelFaults, dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, notSupported, required, sameValue } from '../../fields.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { oneOfThese, range, set, struct } from '../../validation/rules.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { validateWebhookClient } from '../../validation/webhook-client.ts';
import { validateMatchConditions } from './match.ts';
import { validateRules } from './rules.ts';

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
type Webhook = NonNullable<MutatingWebhookConfiguration['webhooks']>[number];

const behaviour = (mutating: boolean): KindBehaviour<Configuration> => ({
  hasGeneration: true,
  emptyFields: 'counted',
  cells: { Webhooks: (c: Configuration) => c.webhooks?.length ?? 0 },
  strategy: {
    plainFinalizers: true,
    setDefaults(c: Configuration) {
      for (const webhook of (c.webhooks ?? []) as Webhook[]) {
        webhook.failurePolicy ??= 'Fail';
        webhook.matchPolicy ??= 'Equivalent';
        webhook.namespaceSelector ??= {};
        webhook.objectSelector ??= {};
        webhook.timeoutSeconds ??= 10;
        if (mutating) webhook.reinvocationPolicy ??= 'Never';
        for (const rule of webhook.rules ?? []) rule.scope ??= '*';
        if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
      }
    },
    allowUnconditionalUpdate: false,
    metadataOnUpdate: ['whole'],
    validate: (c: Configuration) => validate(c, strict),
    validateUpdate: (next: Configuration, old: Configuration) => validate(next, optionsFrom(next, old)),
  },
});

/** Rules newer than the kind: a configuration that violated one before may keep doing so. */
interface Options {
  readonly noSideEffects: boolean;
  readonly supportedVersions: boolean;
  readonly uniqueNames: boolean;
  readonly matchConditions: boolean;
}

const strict: Options = { noSideEffects: true, supportedVersions: true, uniqueNames: true, matchConditions: true };
const webhooksOf = (c: Configuration) => (c.webhooks ?? []) as Webhook[];
const hasSupportedVersion = ({ admissionReviewVersions }: Webhook): boolean =>
  (admissionReviewVersions ?? []).some((version) => version === 'v1' || version === 'v1beta1');

function optionsFrom(next: Configuration, old: Configuration): Options {
  const before = webhooksOf(old);
  const conditions = (c: Configuration) => webhooksOf(c).map(({ matchConditions }) => matchConditions ?? []);
  return {
    noSideEffects: before.every(({ sideEffects }) => sideEffects === 'None' || sideEffects === 'NoneOnDryRun'),
    supportedVersions: before.every(hasSupportedVersion),
    uniqueNames: new Set(before.map(({ name }) => name)).size === before.length,
    matchConditions: !sameValue(conditions(next), conditions(old)),
  };
}

function validate(c: Configuration, options: Options): FieldError[] {
  const names = new Set<string>();
  return webhooksOf(c).flatMap((webhook, index) => {
    const path = `webhooks[${index}]`;
    const { name = '' } = webhook;
    const errors = [
      ...validateWebhook(webhook, path, options),
      ...validateVersions(webhook, `${path}.admissionReviewVersions`, options),
    ];
    if (options.uniqueNames && name && names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    return errors;
  });
}

export const mutatingWebhookConfiguration = behaviour(true);
export const validatingWebhookConfiguration = behaviour(false);

const policies = struct({
  failurePolicy: set(oneOfThese('Fail', 'Ignore')),
  matchPolicy: set(oneOfThese('Equivalent', 'Exact')),
});

const selectors = struct({
  timeoutSeconds: set(range(1, 30, 'the timeout value must be between 1 and 30 seconds')),
  namespaceSelector: validateLabelSelector,
  objectSelector: validateLabelSelector,
  reinvocationPolicy: set(oneOfThese('IfNeeded', 'Never')),
});

const anySideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];

function validateWebhook(webhook: Webhook, path: string, options: Options): FieldError[] {
  return [
    ...validateName(webhook.name, `${path}.name`),
    ...validateRules(webhook.rules ?? [], `${path}.rules`),
    ...policies(webhook, path),
    ...validateSideEffects(webhook.sideEffects, `${path}.sideEffects`, options),
    ...selectors(webhook, path),
    ...validateWebhookClient(webhook.clientConfig ?? {}, `${path}.clientConfig`),
    ...(options.matchConditions
      ? validateMatchConditions(webhook.matchConditions, false, `${path}.matchConditions`)
      : []),
  ];
}

function validateName(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  const faults = dns1123SubdomainFaults(name);
  if (faults.length) return [invalidValue(path, name, faults.join(','))];
  return name.split('.').length < 3
    ? [invalidValue(path, name, 'should be a domain with at least three segments separated by dots')]
    : [];
}

function validateSideEffects(given: string | undefined, path: string, { noSideEffects }: Options): FieldError[] {
  const allowed = noSideEffects ? anySideEffects.slice(0, 2) : anySideEffects;
  if (given === undefined || given === null) return [required(path, `must specify one of ${allowed.join(', ')}`)];
  return allowed.includes(given) ? [] : [notSupported(path, given, allowed)];
}

function validateVersions(webhook: Webhook, path: string, { supportedVersions }: Options): FieldError[] {
  const versions = webhook.admissionReviewVersions ?? [];
  if (!versions.length) return [required(path, 'must specify one of v1, v1beta1')];
  const seen = new Set<string>();
  const errors = versions.flatMap((version, index) => {
    const at = `${path}[${index}]`;
    if (seen.has(version)) return [invalidValue(at, version, 'duplicate version')];
    seen.add(version);
    return invalidValues(at, version, dns1035LabelFaults(version));
  });
  if (supportedVersions && !hasSupportedVersion(webhook))
    errors.push(invalidValue(path, versions, 'must include at least one of v1, v1beta1'));
  return errors;
}
