// Containers: the main ones, the ones that run before, and the ones for debugging.

import { dns1123LabelFaults, portNameFaults, portNumberFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  invalidValues,
  notFoundValue,
  notSupported,
  oneOf,
  required,
} from '../../fields.ts';
import type { Container, PodSpec, Volume } from '../../generated/types.ts';
import { validateEnv } from './env.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateContainerResources } from './resources.ts';
import { validateContainerSecurity } from './security.ts';
import { isValidVolume } from './volumes.ts';

type Role = 'main' | 'init' | 'sidecar' | 'ephemeral';

export function validateContainers(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.containers?.length) errors.push(required(`${path}.containers`));
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const check = (container: Container, at: string, role: Role) => {
    errors.push(...validateName(container.name, at, names));
    errors.push(...validateContainer(container, at, role, spec));
    errors.push(...validatePorts(container, at, spec, role === 'init' ? new Set() : hostPorts));
  };
  for (const [index, container] of (spec.containers ?? []).entries())
    check(container, `${path}.containers[${index}]`, 'main');
  for (const [index, container] of (spec.initContainers ?? []).entries())
    check(container, `${path}.initContainers[${index}]`, container.restartPolicy === 'Always' ? 'sidecar' : 'init');
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const at = `${path}.ephemeralContainers[${index}]`;
    errors.push(...validateName(container.name, at, names));
    errors.push(...validateContainer(container as Container, at, 'ephemeral', spec));
    const target = container.targetContainerName;
    if (target && ![...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(({ name }) => name === target))
      errors.push(notFoundValue(`${at}.targetContainerName`, target));
  }
  return errors;
}

function validateName(name: string, path: string, names: Set<string>): FieldError[] {
  if (!name) return [required(`${path}.name`)];
  const errors = invalidValues(`${path}.name`, name, dns1123LabelFaults(name));
  if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
  names.add(name);
  return errors;
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const messagePolicies = ['File', 'FallbackToLogsOnError'];

function validateContainer(container: Container, path: string, role: Role, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { image } = container;
  if (!image) errors.push(required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  if (!container.imagePullPolicy) errors.push(required(`${path}.imagePullPolicy`));
  else errors.push(...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, pullPolicies));
  if (!container.terminationMessagePolicy) errors.push(required(`${path}.terminationMessagePolicy`));
  else errors.push(...oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, messagePolicies));
  if (container.restartPolicy !== undefined && role !== 'ephemeral')
    errors.push(...oneOf(`${path}.restartPolicy`, container.restartPolicy, ['Always', 'Never', 'OnFailure']));
  for (const rule of container.resizePolicy ?? []) {
    errors.push(...oneOf(`${path}.resizePolicy`, rule.resourceName, ['cpu', 'memory']));
    errors.push(...oneOf(`${path}.resizePolicy`, rule.restartPolicy, ['NotRequired', 'RestartContainer']));
  }
  return [
    ...errors,
    ...validateEnv(container, path),
    ...validateMounts(container, path, spec),
    ...validateRoleFields(container, path, role, spec),
    ...validateContainerResources(container.resources as any, `${path}.resources`),
    ...validateContainerSecurity(container.securityContext, `${path}.securityContext`, spec),
  ];
}

/** What a container may have depends on when it runs. */
function validateRoleFields(container: Container, path: string, role: Role, spec: PodSpec): FieldError[] {
  const fields = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  if (role === 'main' || role === 'sidecar')
    return [...validateLifecycle(container.lifecycle, `${path}.lifecycle`, spec), ...validateProbes(container, path)];
  if (role === 'init')
    return fields
      .filter((field) => container[field] !== undefined)
      .map((field) =>
        forbiddenField(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always'),
      );
  return [...fields, 'ports' as const, 'resources' as const, 'restartPolicy' as const, 'resizePolicy' as const]
    .filter((field) => {
      const value = container[field] as any;
      return value !== undefined && !(typeof value === 'object' && Object.keys(value).length === 0);
    })
    .map((field) => forbiddenField(`${path}.${field}`, 'cannot be set for an Ephemeral Container'));
}

function validatePorts(container: Container, path: string, spec: PodSpec, hostPorts: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    if (port.name) {
      const faults = portNameFaults(port.name);
      errors.push(...invalidValues(`${at}.name`, port.name, faults));
      if (names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...invalidValues(`${at}.containerPort`, port.containerPort, portNumberFaults(port.containerPort)));
    if (port.hostPort) errors.push(...validateHostPort(port, at, spec, hostPorts));
    if (!port.protocol) errors.push(required(`${at}.protocol`));
    else errors.push(...oneOf(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
  }
  return errors;
}

function validateHostPort(
  port: NonNullable<Container['ports']>[number],
  path: string,
  spec: PodSpec,
  taken: Set<string>,
): FieldError[] {
  const errors = invalidValues(`${path}.hostPort`, port.hostPort, portNumberFaults(port.hostPort!));
  if (spec.hostNetwork && port.hostPort !== port.containerPort)
    errors.push(
      invalidValue(`${path}.hostPort`, port.hostPort, 'must match `containerPort` when `hostNetwork` is true'),
    );
  const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
  if (taken.has(key)) errors.push(duplicate(`${path}.hostPort`, key));
  taken.add(key);
  return errors;
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

function validateMounts(container: Container, path: string, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Map<string, Volume>(
    (spec.volumes ?? []).filter(isValidVolume).map((volume) => [volume.name, volume]),
  );
  const paths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    if (!mount.name) errors.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) errors.push(notFoundValue(`${at}.name`, mount.name));
    if (!mount.mountPath) errors.push(required(`${at}.mountPath`));
    if (paths.has(mount.mountPath)) errors.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
    // Kubernetes leaves the index out of these paths.
    if (mount.subPath && mount.subPathExpr)
      errors.push(
        invalidValue(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    for (const field of ['subPath', 'subPathExpr'] as const)
      if (mount[field]) errors.push(...validateLocalPath(mount[field]!, `${path}.volumeMounts.${field}`));
    if (mount.mountPropagation !== undefined) {
      if (!propagations.includes(mount.mountPropagation))
        errors.push(notSupported(`${path}.volumeMounts.mountPropagation`, mount.mountPropagation, propagations));
      if (mount.mountPropagation === 'Bidirectional' && !container.securityContext?.privileged)
        errors.push(
          forbiddenField(
            `${path}.volumeMounts.mountPropagation`,
            'Bidirectional mount propagation is available only to privileged containers',
          ),
        );
    }
  }
  for (const [index, device] of (container.volumeDevices ?? []).entries()) {
    const at = `${path}.volumeDevices[${index}]`;
    const volume = volumes.get(device.name);
    if (!device.name) errors.push(required(`${at}.name`));
    else if (!volume) errors.push(notFoundValue(`${at}.name`, device.name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral)
      errors.push(
        invalidValue(
          `${at}.name`,
          device.name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    if (!device.devicePath) errors.push(required(`${at}.devicePath`));
  }
  return errors;
}

/** A relative path that does not leave its base. */
export function validateLocalPath(value: string, path: string): FieldError[] {
  if (value.startsWith('/')) return [invalidValue(path, value, 'must be a relative path')];
  return value.split('/').includes('..') ? [invalidValue(path, value, "must not contain '..'")] : [];
}
