// https://kubernetes.io/docs/concepts/storage/volumes/

import { configMapKeyFaults, dns1123LabelFaults } from '../../../machinery/names.ts';
import { compareQuantities } from '../../../machinery/quantity.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume } from '../../generated/types.ts';
import { validateLocalPath } from './containers.ts';
import { validateFieldRef, validateResourceField, volumeFields } from './env.ts';

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export function validateVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    if (!volume.name) errors.push(required(`${at}.name`));
    else errors.push(...invalidValues(`${at}.name`, volume.name, dns1123LabelFaults(volume.name)));
    if (names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    errors.push(...validateSource(volume, at));
  }
  return errors;
}

/** Only a volume without faults can be mounted: to the check of mounts others are not there. */
export const isValidVolume = (volume: Volume): boolean => validateSource(volume, '').length === 0;

/** The order in which Kubernetes looks at sources: the second that is set is the one too many. */
const sources = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const;

function validateSource(volume: Volume, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const given = sources.filter((source) => volume[source] !== undefined);
  if (!given.length) return [required(path, 'must specify a volume type')];
  errors.push(...validateOne(volume, given[0], `${path}.${given[0]}`));
  for (const source of given.slice(1))
    errors.push(forbiddenField(`${path}.${source}`, 'may not specify more than 1 volume type'));
  return errors;
}

function validateOne(volume: Volume, source: (typeof sources)[number], path: string): FieldError[] {
  switch (source) {
    case 'emptyDir': {
      const limit = volume.emptyDir?.sizeLimit as string | undefined;
      return limit !== undefined && compareQuantities(limit, 0) < 0
        ? [forbiddenField(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
        : [];
    }
    case 'hostPath':
      return validateHostPath(volume.hostPath!, path);
    case 'secret':
      return [
        ...needName(volume.secret!.secretName, `${path}.secretName`),
        ...validateItems(volume.secret!.items, `${path}.items`),
        ...validateMode(volume.secret!.defaultMode, `${path}.defaultMode`),
      ];
    case 'configMap':
      return [
        ...needName(volume.configMap!.name, `${path}.name`),
        ...validateItems(volume.configMap!.items, `${path}.items`),
        ...validateMode(volume.configMap!.defaultMode, `${path}.defaultMode`),
      ];
    case 'downwardAPI':
      return [
        ...validateDownward(volume.downwardAPI!.items, path),
        ...validateMode(volume.downwardAPI!.defaultMode, `${path}.defaultMode`),
      ];
    case 'projected':
      return validateProjected(volume.projected!, path);
    case 'persistentVolumeClaim':
      return needName(volume.persistentVolumeClaim!.claimName, `${path}.claimName`);
    case 'nfs': {
      const { server, path: exported } = volume.nfs!;
      return [
        ...needName(server, `${path}.server`),
        ...needName(exported, `${path}.path`),
        ...(exported && !exported.startsWith('/')
          ? [invalidValue(`${path}.path`, exported, 'must be an absolute path')]
          : []),
      ];
    }
    case 'csi':
      return needName(volume.csi!.driver, `${path}.driver`);
    case 'image':
      return needName(volume.image!.reference, `${path}.reference`);
    case 'ephemeral':
      return volume.ephemeral!.volumeClaimTemplate ? [] : [required(`${path}.volumeClaimTemplate`)];
    default:
      return [];
  }
}

const needName = (name: string | undefined, path: string): FieldError[] => (name ? [] : [required(path)]);

export function validateHostPath(source: { path: string; type?: string }, path: string): FieldError[] {
  if (!source.path) return [required(`${path}.path`)];
  const errors: FieldError[] = [];
  if (source.path.split('/').includes('..'))
    errors.push(invalidValue(`${path}.path`, source.path, "must not contain '..'"));
  if (source.type && !hostPathTypes.includes(source.type))
    errors.push(notSupported(`${path}.type`, source.type, hostPathTypes));
  return errors;
}

function validateMode(mode: number | undefined, path: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalidValue(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
}

function validateItems(items: readonly KeyToPath[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${path}[${index}]`;
    return [
      ...(item.key ? invalidValues(`${at}.key`, item.key, configMapKeyFaults(item.key)) : [required(`${at}.key`)]),
      ...validateFilePath(item.path, `${at}.path`),
      ...validateMode(item.mode, `${at}.mode`),
    ];
  });
}

function validateFilePath(value: string, path: string): FieldError[] {
  if (!value) return [required(path)];
  const errors = validateLocalPath(value, path);
  if (!errors.length && value.startsWith('..')) errors.push(invalidValue(path, value, "must not start with '..'"));
  return errors;
}

function validateDownward(items: readonly DownwardAPIVolumeFile[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap((item) => {
    // Kubernetes gives these paths without the item's index.
    const errors = validateFilePath(item.path, `${path}.path`);
    if (item.fieldRef) {
      errors.push(...validateFieldRef(item.fieldRef, `${path}.fieldRef`, volumeFields));
      if (item.resourceFieldRef)
        errors.push(
          invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
        );
    } else if (item.resourceFieldRef)
      errors.push(...validateResourceField(item.resourceFieldRef, `${path}.resourceFieldRef`, true));
    else errors.push(required(`${path}.fieldRef`, 'one of fieldRef and resourceFieldRef is required'));
    return [...errors, ...validateMode(item.mode, `${path}.mode`)];
  });
}

function validateProjected(projected: ProjectedVolumeSource, path: string): FieldError[] {
  const errors = validateMode(projected.defaultMode, `${path}.defaultMode`);
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = `${path}.sources[${index}]`;
    const given = Object.keys(source);
    if (given.length > 1) errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
    if (source.secret)
      errors.push(
        ...needName(source.secret.name, `${at}.secret.name`),
        ...validateItems(source.secret.items, `${at}.secret.items`),
      );
    if (source.configMap)
      errors.push(
        ...needName(source.configMap.name, `${at}.configMap.name`),
        ...validateItems(source.configMap.items, `${at}.configMap.items`),
      );
    if (source.downwardAPI) errors.push(...validateDownward(source.downwardAPI.items, `${at}.downwardAPI`));
    if (source.serviceAccountToken) {
      const { expirationSeconds = 3600, path: file } = source.serviceAccountToken;
      const field = `${at}.serviceAccountToken`;
      if (expirationSeconds < 600)
        errors.push(
          invalidValue(
            `${field}.expirationSeconds`,
            expirationSeconds,
            'may not specify a duration less than 10 minutes',
          ),
        );
      else if (expirationSeconds > 2 ** 32)
        errors.push(
          invalidValue(
            `${field}.expirationSeconds`,
            expirationSeconds,
            'may not specify a duration larger than 2^32 seconds',
          ),
        );
      errors.push(...validateFilePath(file, `${field}.path`));
    }
  }
  return errors;
}
