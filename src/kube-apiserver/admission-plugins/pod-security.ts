import {
  type ApiObject,
  forbidden,
  kubernetesVersion,
  type Namespace,
  type Pod,
  type PodSpec,
  podTemplateOf,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { podSecurityMetrics } from '../metrics/pod-security-metrics.ts';
import { failure } from '../status.ts';
import { type Violation, violations } from './pod-security-checks.ts';
import {
  levels,
  type Mode,
  type PodSecurityConfiguration,
  type Policy,
  parsePodSecurity,
  policyOf,
  type Standard,
  textOf,
} from './pod-security-policy.ts';

/**
 * Enforces the standard in the namespace's labels. https://kubernetes.io/docs/concepts/security/pod-security-admission/
 */
export const podSecurity = (client: () => Client, configuration = parsePodSecurity()): AdmissionPlugin => ({
  name: 'PodSecurity',
  validate(attributes) {
    const { kind, operation, object } = attributes;
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || !object) return undefined;
    const isNamespace = kind.group === '' && kind.resource === 'namespaces';
    return isNamespace || kind.podTemplate !== undefined ? judge(attributes, object, client, configuration) : undefined;
  },
});

async function judge(
  attributes: AdmissionAttributes,
  object: ApiObject,
  client: () => Client,
  configuration: PodSecurityConfiguration,
): Promise<void> {
  const { kind, operation, subresource } = attributes;
  if (kind.group === '' && kind.resource === 'namespaces')
    return void (await validateNamespace(attributes, client(), configuration));
  const isPod = kind.group === '' && kind.resource === 'pods';
  if (isPod ? ignoredSubresources.has(subresource) : subresource) return;
  const annotate = (key: string, value: string) => attributes.annotate(`pod-security.kubernetes.io/${key}`, value);
  const template = podTemplateOf(kind, object);
  const exempt = exemption(attributes, template?.spec, configuration);
  if (exempt) {
    podSecurityMetrics(attributes.server.metrics).exemptions.add(1, scopeOf(attributes));
    return annotate('exempt', exempt);
  }
  if (!template?.spec) return;
  if (isPod && operation === 'UPDATE' && !isSignificant(object as Pod, attributes.oldObject as Pod)) return;
  const namespace = await client().get('namespaces', { name: attributes.namespace });
  const { policy, faults: badLabels } = policyOf(namespace, configuration.defaults);
  const found = (mode: Mode) => violations(policy[mode].level, podLike(template, policy[mode]));
  if (badLabels.length) annotate('error', `Failed to parse policy: ${joined(badLabels)}`);
  if (isPod) annotate('enforce-policy', textOf(policy.enforce));
  const audited = found('audit');
  if (audited.length) {
    count(attributes, policy, 'audit', 'deny');
    annotate('audit-violations', `would violate PodSecurity "${textOf(policy.audit)}": ${details(audited)}`);
  }
  if (isPod) {
    const faults = found('enforce');
    count(attributes, policy, 'enforce', faults.length ? 'deny' : 'allow');
    if (faults.length)
      throw forbidden(kind, attributes.name, `violates PodSecurity "${textOf(policy.enforce)}": ${details(faults)}`);
  }
  const warned = found('warn');
  if (!warned.length) return;
  count(attributes, policy, 'warn', 'deny');
  attributes.warn(`would violate PodSecurity "${textOf(policy.warn)}": ${details(warned)}`);
}

const scopeOf = ({ kind, operation, subresource }: AdmissionAttributes) => ({
  request_operation: operation.toLowerCase(),
  resource: kind.group === '' && kind.resource === 'pods' ? 'pod' : 'controller',
  subresource,
});

function count(attributes: AdmissionAttributes, policy: Policy, mode: Mode, decision: 'allow' | 'deny'): void {
  const { level, version } = policy[mode];
  const isLatest = version === 'latest' || level === 'privileged';
  const isFuture = !isLatest && Number(version.slice('v1.'.length)) > Number(kubernetesVersion.minor);
  podSecurityMetrics(attributes.server.metrics).evaluations.add(1, {
    ...{ decision, mode, policy_level: level },
    policy_version: isLatest ? 'latest' : isFuture ? 'future' : version,
    ...scopeOf(attributes),
  });
}

const ignoredSubresources = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);

type Template = NonNullable<ReturnType<typeof podTemplateOf>>;

const details = (faults: readonly Violation[]) =>
  faults.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');

const podLike = ({ metadata, spec }: Template, { version }: Standard) => ({
  annotations: metadata?.annotations ?? {},
  spec: spec as PodSpec,
  minor: version === 'latest' ? Number(kubernetesVersion.minor) : Number(version.slice('v1.'.length)),
});

const joined = (faults: readonly string[]) => (faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`);

async function validateNamespace(
  attributes: AdmissionAttributes,
  client: Client,
  { defaults, exemptions }: PodSecurityConfiguration,
): Promise<void> {
  if (attributes.subresource) return;
  const next = attributes.object as Namespace;
  const old = attributes.oldObject as Namespace | undefined;
  const { policy, faults } = policyOf(next, defaults);
  const before = old && policyOf(old, defaults);
  if (faults.length && (!before || joined(faults) !== joined(before.faults))) throw badLabels(next, faults);
  const isExempt = exemptions.namespaces.includes(attributes.namespace);
  if (!before) return isExempt ? warnOfExemption(attributes, next, policy, defaults) : undefined;
  const { enforce } = policy;
  const was = before.policy.enforce;
  if (enforce.level === 'privileged' || textOf(enforce) === textOf(was)) return;
  if (enforce.version === was.version && levels.indexOf(enforce.level) <= levels.indexOf(was.level)) return;
  if (isExempt) return warnOfExemption(attributes, next, policy, defaults);
  await warnOfPods(attributes, client, enforce, exemptions);
}

/** Labels of an exempt namespace have no effect. */
function warnOfExemption(attributes: AdmissionAttributes, { metadata }: Namespace, policy: Policy, defaults: Policy) {
  const modes = ['enforce', 'audit', 'warn'] as const;
  const isPrivileged = modes.every((mode) => policy[mode].level === 'privileged');
  if (isPrivileged || modes.every((mode) => textOf(policy[mode]) === textOf(defaults[mode]))) return;
  const isLabelled = (mode: Mode) =>
    ['', '-version'].some((suffix) => metadata.labels?.[`pod-security.kubernetes.io/${mode}${suffix}`] !== undefined);
  const told = modes.filter((mode) => policy[mode].level !== 'privileged' && isLabelled(mode));
  const list = told.map((mode) => `${mode}=${textOf(policy[mode])}`).join(', ');
  attributes.warn(
    `namespace ${JSON.stringify(metadata.name)} is exempt from Pod Security, and the policy (${list}) will be ignored`,
  );
}

/** The reason of a pod's exemption, for audit events. */
function exemption(
  { namespace, user }: AdmissionAttributes,
  spec: PodSpec | undefined,
  { exemptions: { namespaces, usernames, runtimeClasses } }: PodSecurityConfiguration,
): string | undefined {
  if (namespaces.includes(namespace)) return 'namespace';
  if (usernames.includes(user.name)) return 'user';
  return spec?.runtimeClassName && runtimeClasses.includes(spec.runtimeClassName) ? 'runtimeClass' : undefined;
}

const badLabels = ({ metadata: { name } }: Namespace, faults: readonly string[]) =>
  failure(422, 'Invalid', `Namespace ${JSON.stringify(name)} is invalid: ${joined(faults)}`, {
    name,
    kind: 'Namespace',
    causes: faults.map((fault) => {
      const end = fault.indexOf(': ');
      return { reason: 'FieldValueInvalid', message: fault.slice(end + 2), field: fault.slice(0, end) };
    }),
  });

/** Maximum pods of a namespace to check when its level rises, to bound the request's time. */
const mostPods = 3_000;

async function warnOfPods(
  { warn, name }: AdmissionAttributes,
  client: Client,
  standard: Standard,
  { runtimeClasses }: PodSecurityConfiguration['exemptions'],
): Promise<void> {
  const { items } = await client.list('pods', { namespace: name });
  const byFault = new Map<string, string[]>();
  for (const pod of items.slice(0, mostPods)) {
    if (runtimeClasses.includes(pod.spec.runtimeClassName ?? '')) continue;
    const found = violations(standard.level, podLike(pod, standard));
    if (!found.length) continue;
    const reasons = found.map(({ reason }) => reason).join(', ');
    byFault.set(reasons, [...(byFault.get(reasons) ?? []), pod.metadata.name ?? '']);
  }
  if (!byFault.size) return;
  if (items.length > mostPods)
    warn(`new PodSecurity enforce level only checked against the first ${mostPods} of ${items.length} existing pods`);
  warn(`existing pods in namespace "${name}" violate the new PodSecurity enforce level "${textOf(standard)}"`);
  const lines = [...byFault].map(([reasons, pods]) => {
    const [first, ...others] = pods.sort();
    const more = others.length === 1 ? ' (and 1 other pod)' : others.length ? ` (and ${others.length} other pods)` : '';
    return `${first}${more}: ${reasons}`;
  });
  for (const line of lines.sort()) warn(line);
}

/** Only images, tolerations and deadlines of a running pod change, and ephemeral containers are added. */
function isSignificant({ metadata, spec }: Pod, old: Pod): boolean {
  const shape = (pod: Pod['spec']) => ({
    ...pod,
    tolerations: undefined,
    activeDeadlineSeconds: undefined,
    containers: pod.containers.map((c) => ({ ...c, image: undefined })),
    initContainers: pod.initContainers?.map((c) => ({ ...c, image: undefined })),
  });
  const armor = (annotations: Readonly<Record<string, string>> = {}) =>
    Object.entries(annotations).filter(([key]) => /^(container\.apparmor|seccomp)\./.test(key));
  return (
    !deepEqual(shape(spec), shape(old.spec)) || !deepEqual(armor(metadata.annotations), armor(old.metadata.annotations))
  );
}
