// The volumes of a pod: their names, and exactly one source each.
// https://kubernetes.io/docs/concepts/storage/volumes/

import { must } from '../../../machinery/must.ts';
import { compareQuantities } from '../../../machinery/quantity.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, required } from '../../fields.ts';
import type { DownwardAPIVolumeSource, EmptyDirVolumeSource, Volume } from '../../generated/types.ts';
import { validateClaimTemplate } from '../claim.ts';
import { choice, each, need, type Rule, struct } from '../rules.ts';
import { iscsiNameFault, isIscsiNameTooLong, podSources } from '../volume-sources.ts';
import { validateProjected } from './projected.ts';
import { downwardFile, keyToPath, optionalMode } from './volume-files.ts';

/** The pod's properties that volume checks use. */
interface VolumeContext {
  /** Undefined in templates, whose pods get names later. */
  readonly podName?: string;
}

interface CheckedVolumes {
  readonly errors: readonly FieldError[];
  /** Volumes without faults, by name: only these can be mounted. */
  readonly usable: ReadonlyMap<string, Volume>;
}

export function checkVolumes(volumes: readonly Volume[], path: string, context: VolumeContext): CheckedVolumes {
  const errors: FieldError[] = [];
  const usable = new Map<string, Volume>();
  const claims = new Set(
    context.podName ? volumes.filter((v) => v.ephemeral).map(({ name }) => `${context.podName}-${name}`) : [],
  );
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    const faults = [...validateSource(volume, at, context), ...validateName(volume.name, `${at}.name`)];
    if (usable.has(volume.name)) faults.push(duplicate(`${at}.name`, volume.name));
    if (faults.length) errors.push(...faults);
    else usable.set(volume.name, volume);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && claims.has(claim))
      errors.push(
        invalidValue(
          `${at}.persistentVolumeClaim.claimName`,
          claim,
          'must not reference a PVC that gets created for an ephemeral volume',
        ),
      );
  }
  return { errors, usable };
}

const validateName = (name: string | undefined, path: string): FieldError[] =>
  name ? invalidValues(path, name, dns1123LabelFaults(name)) : [required(path)];

/** Kubernetes' order of checking sources: the second one that is set is the fault. */
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

/** Kubernetes' spellings in the path of an extra source, and in the path of the source's fields. */
const secondPath: Readonly<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };
const fieldPath: Readonly<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' };

function validateSource(volume: Volume, path: string, context: VolumeContext): FieldError[] {
  const errors: FieldError[] = [];
  let found = 0;
  for (const source of sources) {
    const value = volume[source];
    if (value === undefined) continue;
    if (found++) errors.push(forbiddenField(`${path}.${secondPath[source] ?? source}`, tooManyTypes));
    else errors.push(...sourceRules[source](value, `${path}.${fieldPath[source] ?? source}`, { volume, context }));
    if (source === 'iscsi' && isIscsiNameTooLong(volume.name, must(volume.iscsi, 'iscsi')))
      errors.push(invalidValue(`${path}.name`, volume.name, iscsiNameFault));
  }
  return found ? errors : [required(path, 'must specify a volume type')];
}

const tooManyTypes = 'may not specify more than 1 volume type';

const emptyDir: Rule = ({ sizeLimit }: EmptyDirVolumeSource, path) =>
  sizeLimit !== undefined && compareQuantities(sizeLimit, 0) < 0
    ? [forbiddenField(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
    : [];

const downwardAPI: Rule = (source: DownwardAPIVolumeSource, path) => [
  ...optionalMode(source.defaultMode, `${path}.defaultMode`),
  // Kubernetes gives the paths of these items without their index.
  ...(source.items ?? []).flatMap((item) => downwardFile(item, path)),
];

const ephemeral: Rule = ({ volumeClaimTemplate }, path, { volume, context }) => {
  const errors = volumeClaimTemplate
    ? validateClaimTemplate(volumeClaimTemplate, `${path}.volumeClaimTemplate`)
    : [required(`${path}.volumeClaimTemplate`)];
  if (!context.podName || !volume.name) return errors;
  const claim = `${context.podName}-${volume.name}`;
  return [
    ...errors,
    ...dns1123SubdomainFaults(claim).map((fault) =>
      invalidValue(path.replace(/ephemeral$/, 'name'), volume.name, `PVC name ${JSON.stringify(claim)}: ${fault}`),
    ),
  ];
};

/** A template may omit the image, which its user then sets. */
const image: Rule = ({ reference, pullPolicy }, path, { context }) => [
  ...(context.podName !== undefined ? need()(reference, `${path}.reference`) : []),
  ...choice('Always', 'IfNotPresent', 'Never')(pullPolicy, `${path}.pullPolicy`),
];

const sourceRules: Readonly<Record<(typeof sources)[number], Rule>> = {
  ...(podSources as Record<(typeof sources)[number], Rule>),
  emptyDir,
  secret: struct({ secretName: need(), defaultMode: optionalMode, items: each(keyToPath) }),
  configMap: struct({ name: need(), defaultMode: optionalMode, items: each(keyToPath) }),
  downwardAPI,
  projected: validateProjected,
  ephemeral,
  image,
};
