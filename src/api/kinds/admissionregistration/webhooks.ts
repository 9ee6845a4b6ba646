// Both webhook configurations: they differ in the reinvocation policy.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

import { dns1123SubdomainFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, notSupported, oneOf, required } from '../../fields.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { validateMatchConditions } from './match.ts';
import { validateRules } from './rules.ts';

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
type Webhook = NonNullable<MutatingWebhookConfiguration['webhooks']>[number];

const behaviour = (mutating: boolean): KindBehaviour<any> => ({
  hasGeneration: true,
  cells: { Webhooks: (c: Configuration) => c.webhooks?.length ?? 0 },
  strategy: {
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
    validate(c: Configuration) {
      const names = new Set<string>();
      return ((c.webhooks ?? []) as Webhook[]).flatMap((webhook, index) => {
        const path = `webhooks[${index}]`;
        const errors = validateWebhook(webhook, path);
        if (names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name));
        names.add(webhook.name);
        return errors;
      });
    },
  },
});

export const mutatingWebhookConfiguration = behaviour(true);
export const validatingWebhookConfiguration = behaviour(false);

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { name, failurePolicy, matchPolicy, sideEffects, timeoutSeconds, reinvocationPolicy } = webhook;
  errors.push(...invalidValues(`${path}.name`, name, dns1123SubdomainFaults(name)));
  if (name.split('.').length < 3)
    errors.push(
      invalidValue(`${path}.name`, name, 'should be a domain with at least three segments separated by dots'),
    );
  if (!webhook.admissionReviewVersions?.length)
    errors.push(required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
  else if (!webhook.admissionReviewVersions.some((version) => version === 'v1' || version === 'v1beta1'))
    errors.push(
      invalidValue(
        `${path}.admissionReviewVersions`,
        webhook.admissionReviewVersions,
        'must include at least one of v1, v1beta1',
      ),
    );
  errors.push(...validateRules(webhook.rules ?? [], `${path}.rules`));
  errors.push(...oneOf(`${path}.failurePolicy`, failurePolicy, ['Fail', 'Ignore']));
  errors.push(...oneOf(`${path}.matchPolicy`, matchPolicy, ['Equivalent', 'Exact']));
  errors.push(...oneOf(`${path}.reinvocationPolicy`, reinvocationPolicy, ['IfNeeded', 'Never']));
  if (!sideEffects) errors.push(required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
  else if (sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    errors.push(notSupported(`${path}.sideEffects`, sideEffects, ['None', 'NoneOnDryRun']));
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1))
    errors.push(
      invalidValue(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'),
    );
  errors.push(...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`));
  errors.push(...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`));
  errors.push(...validateClientConfig(webhook, `${path}.clientConfig`));
  return [...errors, ...validateMatchConditions(webhook.matchConditions, false, `${path}.matchConditions`)];
}

function validateClientConfig({ clientConfig: { url, service } }: Webhook, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  if (url !== undefined) return validateUrl(url, `${path}.url`);
  const errors: FieldError[] = [];
  if (!service!.name) errors.push(required(`${path}.service.name`, 'service name is required'));
  if (!service!.namespace) errors.push(required(`${path}.service.namespace`, 'service namespace is required'));
  return errors;
}

function validateUrl(url: string, path: string): FieldError[] {
  const form = '; desired format: https://host[/path]';
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(url);
  if (!match) return [required(path, `url must be a valid URL${form}`)];
  const [, scheme, host, , query, fragment] = match;
  const errors: FieldError[] = [];
  if (scheme !== 'https') errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${form}`));
  if (!host) errors.push(invalidValue(path, host, `host must be specified${form}`));
  if (host.includes('@'))
    errors.push(invalidValue(path, host.split('@')[0], 'user information is not permitted in the URL'));
  if (fragment) errors.push(invalidValue(path, fragment.slice(1), 'fragments are not permitted in the URL'));
  if (query) errors.push(invalidValue(path, query.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}
