// The content of --admission-control-config-file: configurations of plugins.
// https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-config-k8s-io-v1-AdmissionConfiguration

import { type FieldError, invalidValue, notSupported, required, validateTolerations } from '../../api/api.ts';
import { isObject, type Shape } from '../../machinery/fields/configuration-shape.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import {
  AccessConfigurationError,
  parseObject,
  readConfiguration,
  readVersioned,
  refuseFaults,
  refuseUnshapely,
} from '../access/configuration-file.ts';
import { type EventLimit, eventLimitTypes } from './event-rate-limit.ts';
import type { ImagePolicy } from './image-policy-webhook.ts';
import type { LimitedResource } from './limited-resources.ts';
import type { NodeSelectors } from './pod-node-selector.ts';
import type { TolerationRestriction } from './pod-toleration-restriction.ts';

/** The source of one plugin's configuration. */
interface PluginSource {
  readonly name: string;
  /** Relative to the file, as it was given. */
  readonly path?: string;
  /** The configuration itself, in JSON. */
  readonly text?: string;
}

const shape: Shape = { plugins: [{ name: 'string', path: 'string', configuration: 'any' }] };

/** Throws AccessConfigurationError. */
export function parseAdmissionConfiguration(text: string): readonly PluginSource[] {
  const given = parseObject(text);
  // Before there was an AdmissionConfiguration, the file was that of these two plugins.
  const isLegacy = !given.apiVersion && !given.kind;
  if (isLegacy && ('imagePolicy' in given || 'podNodeSelectorPluginConfig' in given))
    return ['ImagePolicyWebhook', 'PodNodeSelector'].map((name) => ({ name, text }));
  interface Given {
    readonly plugins?: readonly { name?: string; path?: string; configuration?: unknown }[] | null;
  }
  const { plugins } = readConfiguration<Given>(text, 'AdmissionConfiguration', ['v1', 'v1alpha1'], shape);
  return (plugins ?? []).map(({ name, path, configuration }) => ({
    name: name ?? '',
    ...(configuration !== undefined && configuration !== null
      ? { text: JSON.stringify(configuration) }
      : path && { path }),
  }));
}

/** Throws AccessConfigurationError. Without a text there is no limit, which Kubernetes refuses. */
export function parseEventRateLimit(text: string | undefined): readonly EventLimit[] {
  const limitShape: Shape = { limits: [{ type: 'string', qps: 'integer', burst: 'integer', cacheSize: 'integer' }] };
  const accepted = [{ kind: 'Configuration', versions: ['eventratelimit.admission.k8s.io/v1alpha1'] }];
  const { limits } =
    text === undefined ? {} : readVersioned<{ limits?: EventLimit[] | null }>(text, accepted, limitShape);
  refuseFaults(limits?.length ? limits.flatMap(limitFaults) : [invalidValue('limits', null, 'must not be empty')]);
  return limits ?? [];
}

function limitFaults({ type, qps, burst, cacheSize }: Partial<EventLimit>, index: number): FieldError[] {
  const path = `limits[${index}]`;
  const isSupported = type !== undefined && eventLimitTypes.includes(type);
  return [
    ...(isSupported ? [] : [notSupported(`${path}.type`, type ?? '', eventLimitTypes)]),
    ...((burst ?? 0) > 0 ? [] : [invalidValue(`${path}.burst`, burst ?? 0, 'must be positive')]),
    ...((qps ?? 0) > 0 ? [] : [invalidValue(`${path}.qps`, qps ?? 0, 'must be positive')]),
    ...(type === 'Server' || (cacheSize ?? 0) >= 0
      ? []
      : [invalidValue(`${path}.cacheSize`, cacheSize, 'must not be negative')]),
  ];
}

/** Throws AccessConfigurationError. */
export function parsePodNodeSelector(text: string | undefined): NodeSelectors {
  const { podNodeSelectorPluginConfig: selectors } = text === undefined ? {} : parseObject(text);
  if (selectors === undefined || selectors === null) return {};
  if (isObject(selectors))
    refuseUnshapely({ podNodeSelectorPluginConfig: selectors }, { podNodeSelectorPluginConfig: 'map of strings' });
  else throw new AccessConfigurationError('podNodeSelectorPluginConfig must be a map of strings');
  return selectors as NodeSelectors;
}

/** Throws AccessConfigurationError. */
export function parsePodTolerationRestriction(text: string | undefined): TolerationRestriction {
  if (text === undefined) return {};
  const toleration: Shape = {
    key: 'string',
    operator: 'string',
    value: 'string',
    effect: 'string',
    tolerationSeconds: 'integer',
  };
  const accepted = [{ kind: 'Configuration', versions: ['podtolerationrestriction.admission.k8s.io/v1alpha1'] }];
  const lists: Shape = { default: [toleration], whitelist: [toleration] };
  const given = readVersioned<Record<'default' | 'whitelist', TolerationRestriction['default'] | null>>(
    text,
    accepted,
    lists,
  );
  const restriction = { default: given.default ?? [], whitelist: given.whitelist ?? [] };
  refuseFaults([
    ...validateTolerations(restriction.default, 'podtolerationrestriction.default'),
    ...validateTolerations(restriction.whitelist, 'podtolerationrestriction.whitelist'),
  ]);
  return { ...(given.default && { default: given.default }), ...(given.whitelist && { whitelist: given.whitelist }) };
}

/** Throws AccessConfigurationError. */
export function parseResourceQuota(text: string | undefined): readonly LimitedResource[] {
  if (text === undefined) return [];
  const scope: Shape = { scopeName: 'string', operator: 'string', values: 'list of strings' };
  const limited: Shape = {
    apiGroup: 'string',
    resource: 'string',
    matchContains: 'list of strings',
    matchScopes: [scope],
  };
  const accepted = [
    { kind: 'ResourceQuotaConfiguration', versions: ['apiserver.config.k8s.io/v1'] },
    {
      kind: 'Configuration',
      versions: ['resourcequota.admission.k8s.io/v1beta1', 'resourcequota.admission.k8s.io/v1alpha1'],
    },
  ];
  const given = readVersioned<{ limitedResources?: LimitedResource[] | null }>(text, accepted, {
    limitedResources: [limited],
  });
  const resources = given.limitedResources ?? [];
  refuseFaults(
    resources.flatMap(({ resource }, index) => (resource ? [] : [required(`limitedResources[${index}].resource`)])),
  );
  return resources;
}

/** The kubeconfig for webhooks; undefined without one. Throws AccessConfigurationError. */
export function parseWebhookAdmission(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const accepted = [
    { kind: 'WebhookAdmissionConfiguration', versions: ['apiserver.config.k8s.io/v1'] },
    { kind: 'WebhookAdmission', versions: ['apiserver.config.k8s.io/v1alpha1'] },
  ];
  const given = readVersioned<{ kubeConfigFile?: string | null; staticManifestsDir?: string | null }>(text, accepted, {
    kubeConfigFile: 'string',
    staticManifestsDir: 'string',
  });
  refuseStaticManifests(given.staticManifestsDir);
  const file = given.kubeConfigFile || undefined;
  if (file && !file.startsWith('/'))
    refuseFaults([invalidValue('kubeConfigFile', file, 'must be an absolute file path')]);
  return file;
}

/** Policies take a directory of manifests and nothing else. Throws AccessConfigurationError. */
export function parsePolicyConfiguration(name: string, text: string | undefined): void {
  if (text === undefined) return;
  const kind = `${name}Configuration`;
  const given = readConfiguration<{ staticManifestsDir?: string | null }>(text, kind, ['v1'], {
    staticManifestsDir: 'string',
  });
  refuseStaticManifests(given.staticManifestsDir);
}

function refuseStaticManifests(directory: string | null | undefined): void {
  if (directory)
    throw new AccessConfigurationError(
      'staticManifestsDir is not supported: ManifestBasedAdmissionControlConfig is an alpha feature',
    );
}

/** As the file has it: how to reach the server is still to be read. */
interface ImagePolicySource extends Omit<ImagePolicy, 'server'> {
  readonly kubeConfigFile: string;
}

const imagePolicyShape: Shape = {
  kubeConfigFile: 'string',
  allowTTL: 'integer',
  denyTTL: 'integer',
  retryBackoff: 'integer',
  defaultAllow: 'boolean',
};

/** Throws AccessConfigurationError. */
export function parseImagePolicy(text: string | undefined): ImagePolicySource {
  if (text === undefined) throw new AccessConfigurationError('no config specified');
  const { imagePolicy = {} } = parseObject(text);
  if (!isObject(imagePolicy)) throw new AccessConfigurationError('imagePolicy must be an object');
  refuseUnshapely({ imagePolicy }, { imagePolicy: imagePolicyShape });
  const { kubeConfigFile, allowTTL, denyTTL, retryBackoff, defaultAllow } = imagePolicy as Record<string, never>;
  const minute = 60_000;
  if (!kubeConfigFile) throw new AccessConfigurationError('imagePolicy.kubeConfigFile is required');
  return {
    kubeConfigFile,
    retryBackoffMs: durationMs(retryBackoff, { unitMs: 1, leastMs: 1, mostMs: 5 * minute, defaultMs: 500 }),
    allowTtlMs: durationMs(allowTTL, { unitMs: 1_000, leastMs: 1_000, mostMs: 30 * minute, defaultMs: 5 * minute }),
    denyTtlMs: durationMs(denyTTL, { unitMs: 1_000, leastMs: 1_000, mostMs: 30 * minute, defaultMs: 30_000 }),
    defaultAllow: defaultAllow ?? false,
  };
}

interface DurationBounds {
  readonly unitMs: number;
  readonly leastMs: number;
  readonly mostMs: number;
  readonly defaultMs: number;
}

/** 0 is the default, and -1 turns it off. */
function durationMs(value: number | null | undefined, { unitMs, leastMs, mostMs, defaultMs }: DurationBounds): number {
  if (!value) return defaultMs;
  if (value === -1) return 0;
  const ms = value * unitMs;
  // Kubernetes' minimum backoff is a nanosecond, and its message has it.
  const least = unitMs === 1 ? '1ns' : formatDuration(leastMs);
  if (ms < leastMs || ms > mostMs)
    throw new AccessConfigurationError(
      `valid value is between ${least} and ${formatDuration(mostMs)}, got ${formatDuration(ms)}`,
    );
  return ms;
}

export { parsePodSecurity } from './pod-security-policy.ts';
