import { describe, expect, test } from 'vitest';
import { mustBeClear, mutatedText } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { AccessConfigurationError } from '../access/configuration-file.ts';
import {
  parseAdmissionConfiguration,
  parseEventRateLimit,
  parseImagePolicy,
  parsePodNodeSelector,
  parsePodSecurity,
  parsePodTolerationRestriction,
  parsePolicyConfiguration,
  parseResourceQuota,
  parseWebhookAdmission,
} from './configuration.ts';

const yaml = (value: object) => JSON.stringify(value);
const admission = (plugins: unknown) =>
  yaml({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration', plugins });

test('each plugin has a path or a configuration', () =>
  expect(
    parseAdmissionConfiguration(
      admission([{ name: 'A', path: 'a.yaml' }, { name: 'B', path: 'b.yaml', configuration: { x: 1 } }, { name: 'C' }]),
    ),
  ).toEqual([{ name: 'A', path: 'a.yaml' }, { name: 'B', text: '{"x":1}' }, { name: 'C' }]));

test('a file of the time before AdmissionConfiguration is that of two plugins', () => {
  const text = 'podNodeSelectorPluginConfig: {clusterDefaultNodeSelector: "a=b"}';
  expect(parseAdmissionConfiguration(text)).toEqual([
    { name: 'ImagePolicyWebhook', text },
    { name: 'PodNodeSelector', text },
  ]);
});

const limits = (...list: object[]) =>
  yaml({ apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1', kind: 'Configuration', limits: list });
const security = (fields: object) =>
  yaml({ apiVersion: 'pod-security.admission.config.k8s.io/v1', kind: 'PodSecurityConfiguration', ...fields });
const quota = (...limitedResources: object[]) =>
  yaml({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'ResourceQuotaConfiguration', limitedResources });
const webhooks = (fields: object) =>
  yaml({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'WebhookAdmissionConfiguration', ...fields });
const tolerations = (fields: object) =>
  yaml({ apiVersion: 'podtolerationrestriction.admission.k8s.io/v1alpha1', kind: 'Configuration', ...fields });

describe('refusals', () => {
  test.each<[string, () => unknown, string]>([
    [
      'another kind',
      () => parseAdmissionConfiguration(yaml({ apiVersion: 'v1', kind: 'Pod' })),
      'kind must be AdmissionConfiguration, and apiVersion apiserver.config.k8s.io/v1 or apiserver.config.k8s.io/v1alpha1',
    ],
    [
      'an unknown field',
      () => parseAdmissionConfiguration(admission([{ nme: 'A' }])),
      'unknown field "plugins[0].nme"',
    ],
    ['plugins that are no list', () => parseAdmissionConfiguration(admission({})), 'plugins must be a list'],
    [
      'a name that is no string',
      () => parseAdmissionConfiguration(admission([{ name: 1 }])),
      'plugins[0].name must be a string',
    ],
    ['a plugin that is none', () => parseAdmissionConfiguration(admission([null])), 'plugins[0] must be an object'],
    ['no event limits', () => parseEventRateLimit(undefined), 'limits: Invalid value: null: must not be empty'],
    [
      'an empty event limit',
      () => parseEventRateLimit(limits({})),
      'limits[0].type: Unsupported value: "": supported values: "Server", "Namespace", "User", "SourceAndObject"; limits[0].burst: Invalid value: 0: must be positive; limits[0].qps: Invalid value: 0: must be positive',
    ],
    [
      'a negative cache',
      () => parseEventRateLimit(limits({ type: 'User', qps: 1, burst: 1, cacheSize: -1 })),
      'limits[0].cacheSize: Invalid value: -1: must not be negative',
    ],
    ['qps that are no number', () => parseEventRateLimit(limits({ qps: 'x' })), 'limits[0].qps must be an integer'],
    ['no image policy', () => parseImagePolicy(undefined), 'no config specified'],
    [
      'a TTL that is too long',
      () => parseImagePolicy(yaml({ imagePolicy: { kubeConfigFile: '/k', allowTTL: 1801 } })),
      'valid value is between 1s and 30m0s, got 30m1s',
    ],
    [
      'selectors that are no map',
      () => parsePodNodeSelector(yaml({ podNodeSelectorPluginConfig: ['a'] })),
      'podNodeSelectorPluginConfig must be a map of strings',
    ],
    [
      'an unknown level and version',
      () => parsePodSecurity(security({ defaults: { enforce: 'strict', 'warn-version': 'v2' } })),
      'defaults.enforce: Invalid value: "strict": must be one of privileged, baseline, restricted; defaults.warn-version: Invalid value: "v2": must be "latest" or "v1.x"',
    ],
    [
      'exemptions that are no names, or come twice',
      () => parsePodSecurity(security({ exemptions: { usernames: ['', 'eve', 'eve'], namespaces: ['A'] } })),
      "exemptions.namespaces[0]: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'); exemptions.usernames[0]: Invalid value: \"\": username must not be empty; exemptions.usernames[2]: Duplicate value: \"eve\"",
    ],
    ['no limited resource', () => parseResourceQuota(quota({})), 'limitedResources[0].resource: Required value'],
    [
      'a relative kubeconfig',
      () => parseWebhookAdmission(webhooks({ kubeConfigFile: 'k' })),
      'kubeConfigFile: Invalid value: "k": must be an absolute file path',
    ],
    [
      'manifests of webhooks',
      () => parseWebhookAdmission(webhooks({ staticManifestsDir: '/m' })),
      'staticManifestsDir is not supported: ManifestBasedAdmissionControlConfig is an alpha feature',
    ],
    [
      'manifests of policies',
      () =>
        parsePolicyConfiguration(
          'ValidatingAdmissionPolicy',
          yaml({
            apiVersion: 'apiserver.config.k8s.io/v1',
            kind: 'ValidatingAdmissionPolicyConfiguration',
            staticManifestsDir: '/m',
          }),
        ),
      'staticManifestsDir is not supported: ManifestBasedAdmissionControlConfig is an alpha feature',
    ],
    [
      'a toleration that is none',
      () => parsePodTolerationRestriction(tolerations({ default: [{ operator: 'Equal' }] })),
      'podtolerationrestriction.default[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ])('%s', (_, read, message) => {
    expect(read).toThrow(AccessConfigurationError);
    expect(read).toThrow(message);
  });
});

test('the defaults of an image policy', () =>
  expect(parseImagePolicy('imagePolicy: {kubeConfigFile: /k, denyTTL: -1}')).toEqual({
    kubeConfigFile: '/k',
    allowTtlMs: 300_000,
    denyTtlMs: 0,
    retryBackoffMs: 500,
    defaultAllow: false,
  }));

test('the defaults of pod security', () => {
  const { defaults, exemptions } = parsePodSecurity(security({ defaults: { enforce: 'baseline' } }));
  const privileged = { level: 'privileged', version: 'latest' };
  expect(defaults).toEqual({ enforce: { level: 'baseline', version: 'latest' }, audit: privileged, warn: privileged });
  expect(exemptions).toEqual({ usernames: [], namespaces: [], runtimeClasses: [] });
});

const readers: Record<string, { read: (text: string) => unknown; sample: object }> = {
  AdmissionConfiguration: {
    read: parseAdmissionConfiguration,
    sample: JSON.parse(admission([{ name: 'A', path: 'p' }])),
  },
  EventRateLimit: {
    read: parseEventRateLimit,
    sample: JSON.parse(limits({ type: 'User', qps: 1, burst: 1, cacheSize: 1 })),
  },
  ImagePolicyWebhook: { read: parseImagePolicy, sample: { imagePolicy: { kubeConfigFile: '/k', allowTTL: 1 } } },
  PodNodeSelector: { read: parsePodNodeSelector, sample: { podNodeSelectorPluginConfig: { a: 'b=c' } } },
  PodSecurity: {
    read: parsePodSecurity,
    sample: JSON.parse(security({ defaults: { enforce: 'baseline' }, exemptions: { usernames: ['eve'] } })),
  },
  PodTolerationRestriction: {
    read: parsePodTolerationRestriction,
    sample: JSON.parse(tolerations({ default: [{ key: 'a', operator: 'Exists' }], whitelist: [] })),
  },
  ResourceQuota: {
    read: parseResourceQuota,
    sample: JSON.parse(quota({ resource: 'pods', matchScopes: [{ scopeName: 'PriorityClass', values: ['a'] }] })),
  },
  WebhookAdmission: { read: parseWebhookAdmission, sample: JSON.parse(webhooks({ kubeConfigFile: '/k' })) },
};

test.each(Object.keys(readers))('%s: no file makes another error than a refusal', (name) => {
  const { read, sample } = readers[name];
  fc.assert(
    fc.property(mutatedText(sample), (text) => {
      try {
        read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(AccessConfigurationError);
        mustBeClear((error as Error).message);
      }
    }),
    { numRuns: 400 },
  );
});
