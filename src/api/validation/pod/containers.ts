// Containers: main, init and ephemeral ones.

import { dns1123LabelFaults, portNameFaults, portNumberFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  invalidValues,
  notFoundValue,
  notSupported,
  required,
  tooMany,
} from '../../fields.ts';
import type { Container, PodSpec, Volume } from '../../generated/types.ts';
import { choice, isEmpty, maxItems, needed, oneOfThese, struct, text } from '../rules.ts';
import { validateEnv } from './env.ts';
import { validateMounts } from './mounts.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateContainerResources } from './resources.ts';
import { validateContainerSecurity } from './security.ts';

/** The pod's properties that container checks use. */
interface ContainerContext {
  readonly spec: PodSpec;
  /** Volumes that can be mounted. */
  readonly volumes: ReadonlyMap<string, Volume>;
  /** Names of the pod's resource claims. */
  readonly claims: ReadonlySet<string>;
}

export function validateContainers(path: string, context: ContainerContext): FieldError[] {
  const { spec } = context;
  return [
    ...validateMain(spec.containers ?? [], `${path}.containers`, context),
    ...validateInit(spec.initContainers ?? [], `${path}.initContainers`, context),
    ...validateEphemeral(path, context),
  ];
}

function validateMain(containers: readonly Container[], path: string, context: ContainerContext): FieldError[] {
  if (!containers.length) return [required(path)];
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const errors: FieldError[] = [];
  const ports: FieldError[] = [];
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    errors.push(...validateCommon(container, at, context));
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    errors.push(
      ...validateLifecycle(container.lifecycle, `${at}.lifecycle`, context.spec),
      ...validateProbes(container, at, context.spec),
      ...validateRestart(container, at),
    );
    ports.push(...validateHostPorts(container, at, hostPorts));
  }
  return [...errors, ...ports];
}

function validateInit(containers: readonly Container[], path: string, context: ContainerContext): FieldError[] {
  const names = new Set((context.spec.containers ?? []).map(({ name }) => name));
  return containers.flatMap((container, index) => {
    const at = `${path}[${index}]`;
    const errors = [...validateCommon(container, at, context), ...validateInitRestart(container, at)];
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    else if (container.name) names.add(container.name);
    // Each runs alone, so only its own ports can collide; Kubernetes counts it as the first of the list.
    errors.push(...validateHostPorts(container, `${path}[0]`, new Set()));
    if (container.restartPolicy === 'Always')
      return [
        ...errors,
        ...validateLifecycle(container.lifecycle, `${at}.lifecycle`, context.spec),
        ...validateProbes(container, at, context.spec),
      ];
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      if (container[field] !== undefined)
        errors.push(
          forbiddenField(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'),
        );
    for (const [i, { restartPolicy }] of (container.resizePolicy ?? []).entries())
      if (restartPolicy === 'RestartContainer')
        errors.push(
          invalidValue(
            `${at}.resizePolicy[${i}].restartPolicy`,
            restartPolicy,
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
          ),
        );
    return errors;
  });
}

/** Fields of the type that ephemeral containers must not set. */
const notEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

function validateEphemeral(path: string, context: ContainerContext): FieldError[] {
  const { initContainers, ephemeralContainers } = context.spec;
  if (!ephemeralContainers?.length) return [];
  const others = new Set(
    [context.spec.containers, initContainers].flatMap((list) => list?.map(({ name }) => name) ?? []),
  );
  const names = new Set(others);
  return ephemeralContainers.flatMap((container, index) => {
    const at = `${path}.ephemeralContainers[${index}]`;
    const errors = [
      ...validateCommon(container as Container, at, context),
      ...validateImageSpaces(container as Container, at),
    ];
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) errors.push(notFoundValue(`${at}.targetContainerName`, target));
    const unfit = 'cannot be set for an Ephemeral Container';
    for (const field of notEphemeral) {
      const value: unknown = container[field];
      const isUnset = value === undefined || (field === 'resources' && isEmpty(value));
      if (!isUnset) errors.push(forbiddenField(`${at}.${field}`, unfit));
    }
    for (const [i, mount] of (container.volumeMounts ?? []).entries())
      for (const field of ['subPath', 'subPathExpr'] as const)
        if (mount[field]) errors.push(forbiddenField(`${at}.volumeMounts[${i}].${field}`, unfit));
    return errors;
  });
}

const pullPolicy = choice('Always', 'IfNotPresent', 'Never');
const messagePolicy = choice('File', 'FallbackToLogsOnError');
const label = needed(text(dns1123LabelFaults));

function validateCommon(container: Container, path: string, context: ContainerContext): FieldError[] {
  return [
    ...label(container.name, `${path}.name`),
    ...(container.image ? [] : [required(`${path}.image`)]),
    ...messagePolicy(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`),
    ...validatePorts(container, `${path}.ports`),
    ...validateEnv(container, path),
    ...validateMounts(container, path, context.volumes),
    ...pullPolicy(container.imagePullPolicy, `${path}.imagePullPolicy`),
    ...validateContainerResources(container.resources, `${path}.resources`, context.claims),
    ...validateResizePolicy(container, `${path}.resizePolicy`, context.spec),
    ...validateContainerSecurity(container.securityContext, `${path}.securityContext`, context.spec),
  ];
}

/** Only pods are held to this: templates with spaces around an image were once accepted. */
export const validateImageSpaces = ({ image = '' }: Container, path: string): FieldError[] =>
  image === image.trim() ? [] : [invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace')];

function validatePorts({ ports = [] }: Container, path: string): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (port.name) {
      const faults = portNameFaults(port.name);
      errors.push(...invalidValues(`${at}.name`, port.name, faults));
      if (!faults.length && names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      if (!faults.length) names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...invalidValues(`${at}.containerPort`, port.containerPort, portNumberFaults(port.containerPort)));
    if (port.hostPort) errors.push(...invalidValues(`${at}.hostPort`, port.hostPort, portNumberFaults(port.hostPort)));
    return [...errors, ...protocol(port.protocol, `${at}.protocol`)];
  });
}

const protocol = choice('SCTP', 'TCP', 'UDP');

function validateHostPorts({ ports = [] }: Container, path: string, taken: Set<string>): FieldError[] {
  return ports.flatMap(({ hostPort, hostIP = '', protocol }, index) => {
    if (!hostPort) return [];
    const key = `${protocol}/${hostIP}/${hostPort}`;
    if (taken.has(key)) return [duplicate(`${path}.ports[${index}].hostPort`, key)];
    taken.add(key);
    return [];
  });
}

const resizeResource = choice('cpu', 'memory');
const resizeRestart = choice('NotRequired', 'RestartContainer');

interface Policy {
  readonly resourceName: string;
  readonly restartPolicy?: string;
}

/** Kubernetes leaves the index out of these paths. */
function validateResizePolicy({ resizePolicy = [] }: Container, path: string, spec: PodSpec): FieldError[] {
  const seen = new Set<string>();
  return resizePolicy.flatMap(({ resourceName, restartPolicy = '' }: Policy, index) => {
    const errors = seen.has(resourceName) ? [duplicate(`${path}[${index}]`, resourceName)] : [];
    seen.add(resourceName);
    errors.push(...resizeResource(resourceName, path), ...resizeRestart(restartPolicy, path));
    if (spec.restartPolicy === 'Never' && restartPolicy !== 'NotRequired')
      errors.push(invalidValue(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    return errors;
  });
}

const maxRules = 20;
const exitCodes = struct({ operator: oneOfThese('In', 'NotIn'), values: maxItems(255) });

/** Without a policy the rules of an init container are not looked at. */
const validateInitRestart = (container: Container, path: string): FieldError[] =>
  container.restartPolicy === undefined && container.restartPolicyRules?.length
    ? [required(`${path}.restartPolicy`, rulesNeedPolicy)]
    : validateRestart(container, path);

const rulesNeedPolicy = 'must specify restartPolicy when restart rules are used';

function validateRestart({ restartPolicy, restartPolicyRules = [] }: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const policies = ['Always', 'Never', 'OnFailure'];
  if (restartPolicy === undefined) {
    if (!restartPolicyRules.length) return [];
    errors.push(required(`${path}.restartPolicy`, rulesNeedPolicy));
  } else if (!policies.includes(restartPolicy))
    errors.push(notSupported(`${path}.restartPolicy`, restartPolicy, policies));
  const at = `${path}.restartPolicyRules`;
  if (restartPolicyRules.length > maxRules) errors.push(tooMany(at, restartPolicyRules.length, maxRules));
  for (const [index, rule] of restartPolicyRules.entries()) {
    errors.push(...oneOfThese('Restart', 'RestartAllContainers')(rule.action, `${at}[${index}].action`));
    if (!rule.exitCodes) errors.push(required(`${at}[${index}].exitCodes`, 'must be specified'));
    else errors.push(...exitCodes(rule.exitCodes, `${at}[${index}].exitCodes`));
  }
  return errors;
}
