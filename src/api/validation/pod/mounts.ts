// Where containers see volumes: as directories, and as raw devices.

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notFoundValue, notSupported, required } from '../../fields.ts';
import type { Container, Volume, VolumeDevice, VolumeMount } from '../../generated/types.ts';
import { descending } from '../volume-sources.ts';

export function validateMounts(container: Container, path: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const { volumeMounts = [], volumeDevices = [] } = container;
  if (!volumeMounts.length && !volumeDevices.length) return [];
  return [
    ...validateVolumeMounts(container, `${path}.volumeMounts`, volumes),
    ...validateDevices(container, `${path}.volumeDevices`, volumes),
  ];
}

function validateVolumeMounts(container: Container, path: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const devices = container.volumeDevices ?? [];
  // Of devices with the same name the last one counts.
  const pathOf = new Map(devices.map(({ name = '', devicePath = '' }) => [name, devicePath]));
  const devicePaths = new Set(pathOf.values());
  const paths = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const { name = '', mountPath = '' } = mount;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    if (!volumes.has(name)) errors.push(notFoundValue(`${at}.name`, name));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalidValue(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    if (pathOf.has(name)) errors.push(invalidValue(`${at}.name`, name, 'must not already exist in volumeDevices'));
    if (devicePaths.has(mountPath))
      errors.push(invalidValue(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    return [...errors, ...validateSubPaths(mount, at, path), ...validateModes(mount, path, container)];
  });
}

/** Kubernetes leaves the index out of the paths of these and of the modes. */
function validateSubPaths({ subPath, subPathExpr }: VolumeMount, at: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (subPath) errors.push(...descending(subPath, `${path}.subPath`));
  if (!subPathExpr) return errors;
  if (subPath)
    errors.push(invalidValue(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
  return [...errors, ...descending(subPathExpr, `${path}.subPathExpr`)];
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursive = ['Disabled', 'Enabled', 'IfPossible'];

function validateModes(mount: VolumeMount, path: string, container: Container): FieldError[] {
  const { mountPropagation, recursiveReadOnly } = mount;
  const errors: FieldError[] = [];
  if (mountPropagation !== undefined) {
    const at = `${path}.mountPropagation`;
    if (!propagations.includes(mountPropagation)) errors.push(notSupported(at, mountPropagation, propagations));
    if (mountPropagation === 'Bidirectional' && !container.securityContext?.privileged)
      errors.push(forbiddenField(at, 'Bidirectional mount propagation is available only to privileged containers'));
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return errors;
  const at = `${path}.recursiveReadOnly`;
  if (!recursive.includes(recursiveReadOnly)) return [...errors, notSupported(at, recursiveReadOnly, recursive)];
  if (!mount.readOnly) errors.push(forbiddenField(at, 'may only be specified when readOnly is true'));
  if (mountPropagation !== undefined && mountPropagation !== 'None')
    errors.push(forbiddenField(at, 'may only be specified when mountPropagation is None or not specified'));
  return errors;
}

const isBlock = (volume: Volume): boolean => Boolean(volume.persistentVolumeClaim ?? volume.ephemeral);

function validateDevices(container: Container, path: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const pathOf = new Map(mounts.map(({ name = '', mountPath = '' }) => [name, mountPath]));
  const mountPaths = new Set(pathOf.values());
  const names = new Set<string>();
  const paths = new Set<string>();
  return (container.volumeDevices ?? []).flatMap(({ name = '', devicePath = '' }: VolumeDevice, index) => {
    const atName = `${path}[${index}].name`;
    const atPath = `${path}[${index}].devicePath`;
    const volume = volumes.get(name);
    const errors: FieldError[] = [];
    if (!name) errors.push(required(atName));
    if (names.has(name)) errors.push(invalidValue(atName, name, 'must be unique'));
    if (volume && !isBlock(volume))
      errors.push(
        invalidValue(
          atName,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    if (!volume) errors.push(notFoundValue(atName, name));
    if (!devicePath) errors.push(required(atPath));
    if (paths.has(devicePath)) errors.push(invalidValue(atPath, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..'))
      errors.push(invalidValue(atPath, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (pathOf.has(name)) errors.push(invalidValue(atName, name, 'must not already exist in volumeMounts'));
    if (mountPaths.has(devicePath))
      errors.push(invalidValue(atPath, devicePath, 'must not already exist as a path in volumeMounts'));
    if (name) names.add(name);
    return errors;
  });
}
