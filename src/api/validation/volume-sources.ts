// Volume sources that pods and persistent volumes share, one table each.
// https://kubernetes.io/docs/concepts/storage/volumes/#volume-types

import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, notSupported, required, tooLong } from '../fields.ts';
import type {
  AzureDiskVolumeSource,
  CSIVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  ISCSIVolumeSource,
  QuobyteVolumeSource,
} from '../generated/types.ts';
import { all, eachKey, given, need, needed, oneOfThese, type Rule, range, set, struct, text } from './rules.ts';

const label = text(dns1123LabelFaults);
const subdomain = text(dns1123SubdomainFaults);

/** No part of the path leads upwards. */
export const noBacksteps: Rule = (value, path) =>
  String(value ?? '')
    .split('/')
    .includes('..')
    ? [invalidValue(path, value, "must not contain '..'")]
    : [];

/** A path below its base. */
export const descending: Rule = (value: string | undefined, path) => [
  ...(value?.startsWith('/') ? [invalidValue(path, value, 'must be a relative path')] : []),
  ...noBacksteps(value, path),
];

/** A relative path without `..` as a part. */
export const localPath: Rule = (value: string | undefined, path) => [
  ...descending(value, path),
  ...(value?.startsWith('..') && !value.startsWith('../')
    ? [invalidValue(path, value, "must not start with '..'")]
    : []),
];

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

const hostPathFields = struct({ path: noBacksteps, type: set(oneOfThese(...hostPathTypes)) });
const hostPath: Rule = (source: HostPathVolumeSource, path) =>
  source.path ? hostPathFields(source, path) : [required(`${path}.path`)];

const iqn = /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/;
const isIscsiName = (name: string): boolean =>
  name.startsWith('iqn')
    ? iqn.test(name)
    : name.startsWith('eui')
      ? /^eui.[A-Za-z0-9]{16}$/.test(name)
      : /^naa.[A-Za-z0-9]{32}$/.test(name);
const isIscsiPrefix = (name: string): boolean => /^(iqn|eui|naa)/.test(name);
const prefixFault = 'must be valid format starting with iqn, eui, or naa';

const iscsiName =
  (fault: string): Rule =>
  (name: string, path) =>
    !isIscsiPrefix(name)
      ? [invalidValue(path, name, fault)]
      : isIscsiName(name)
        ? []
        : [invalidValue(path, name, 'must be valid format')];

const chapSecret: Rule = (secret, path, { chapAuthDiscovery, chapAuthSession }: ISCSIVolumeSource) =>
  (chapAuthDiscovery || chapAuthSession) && !secret ? [required(path)] : [];
const namedChapSecret: Rule = all(chapSecret, struct({ name: need() }));

/** Kubernetes spells this field without capitals. */
const initiator =
  (fault: string): Rule =>
  (name, path) =>
    name === undefined ? [] : iscsiName(fault)(name, path.replace(/initiatorName$/, 'initiatorname'));

/** With a custom initiator, name and portal together name a file. */
export const iscsiNameFault =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
export const isIscsiNameTooLong = (name: string, source: { initiatorName?: string; targetPortal?: string }): boolean =>
  source.initiatorName !== undefined && `${name}:${source.targetPortal ?? ''}`.length > 64;

const portal = struct({ targetPortal: need() });
const iscsiRest = (fault: string, secretRef: Rule): Rule =>
  struct({ iqn: needed(iscsiName(fault)), lun: range(0, 255), secretRef, initiatorName: initiator(fault) });
const iscsi = all(portal, iscsiRest(prefixFault, chapSecret));

/** Kubernetes spells the field of the portal without capitals here. */
const shortName: Rule = (source: ISCSIPersistentVolumeSource, path, { name }: { name: string }) =>
  isIscsiNameTooLong(name, source) ? [invalidValue(`${path}.targetportal`, source.targetPortal, iscsiNameFault)] : [];
const persistentIscsi = all(portal, shortName, iscsiRest('must be valid format', namedChapSecret));

function fibreChannel(fc: FCVolumeSource, path: string): FieldError[] {
  const { targetWWNs = [], wwids = [], lun } = fc;
  const errors: FieldError[] = [];
  const at = `${path}.targetWWNs`;
  if (!targetWWNs.length && !wwids.length)
    errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  if (targetWWNs.length && wwids.length)
    errors.push(invalidValue(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  if (targetWWNs.length) {
    if (lun === undefined) errors.push(required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
    else errors.push(...range(0, 255)(lun, `${path}.lun`));
  }
  return errors;
}

const partition = range(0, 255, 'must be between 1 and 255, inclusive');

const absolute: Rule = (value: string | undefined, path) =>
  value?.startsWith('/') ? [] : [invalidValue(path, value ?? '', 'must be an absolute path')];

const hostPorts = 'must be a host:port pair or multiple pairs separated by commas';
const isHostPort = (pair: string): boolean => /^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/.test(pair);

const quobyte = struct({
  registry: (value: string | undefined, path, { tenant = '' }: QuobyteVolumeSource) => {
    if (!value) return [required(path, hostPorts)];
    if (tenant.length >= 65)
      return [
        required(path.replace(/registry$/, 'tenant'), 'must be a UUID and may not exceed a length of 64 characters'),
      ];
    const bad = value.split(',').filter((pair) => !isHostPort(pair));
    return bad.map(() => invalidValue(path, value, hostPorts));
  },
  volume: need(),
});

const glusterfs = struct({ endpoints: need(), path: need() });
const namespaceName: Rule = (value, path) =>
  value === ''
    ? [invalidValue(path, value, 'if the endpointnamespace is set, it must be a valid namespace name')]
    : label(value, path);

function flocker({ datasetName = '', datasetUUID = '' }: FlockerVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID)
    errors.push(invalidValue(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  if (datasetName.includes('/')) errors.push(invalidValue(`${path}.datasetName`, datasetName, "must not contain '/'"));
  return errors;
}

const reservedOption: Rule = (key: string, path) => {
  const domain = `.${key.split('/')[0].toLowerCase()}`;
  return domain.endsWith('.kubernetes.io') || domain.endsWith('.k8s.io')
    ? [invalidValue(path, key, 'kubernetes.io and k8s.io namespaces are reserved')]
    : [];
};
const flexVolume = struct({ driver: need(), options: eachKey(reservedOption, true) });

const managedDisk = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const blobDisk = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

const diskUri: Rule = (uri: string | undefined = '', path, { kind }: AzureDiskVolumeSource) => {
  if (kind === undefined) return [];
  const [prefix, supported] = kind === 'Managed' ? ['/subscriptions/', managedDisk] : ['https://', blobDisk];
  return uri.startsWith(prefix) ? [] : [notSupported(path, uri, [supported])];
};
const azureDisk = all(
  struct({
    diskName: need(),
    diskURI: need(),
    cachingMode: set(oneOfThese('None', 'ReadOnly', 'ReadWrite')),
    kind: set(oneOfThese('Dedicated', 'Managed', 'Shared')),
  }),
  struct({ diskURI: diskUri }),
);

const named: Rule = struct({ name: need() });
const namedElsewhere: Rule = struct({ name: need(), namespace: need() });
const storageos = (secret: Rule): Rule =>
  struct({ volumeName: needed(label), volumeNamespace: given(label), secretRef: secret });

/** Drivers are named like domains, in upper or lower case, up to 63 bytes. */
export const csiDriverName: Rule = (name: string | undefined, path) =>
  name
    ? [
        ...(name.length > 63 ? [tooLong(path, 63)] : []),
        ...dns1123SubdomainFaults(name.toLowerCase()).map((fault) => invalidValue(path, name, fault)),
      ]
    : [required(path)];

const secretReference = struct({ name: needed(subdomain), namespace: needed(label) });

/** Sources that a pod's volume and a persistent volume check alike. */
const shared: Readonly<Record<string, Rule>> = {
  hostPath,
  gcePersistentDisk: struct({ pdName: need(), partition }),
  awsElasticBlockStore: struct({ volumeID: need(), partition }),
  nfs: struct({ server: need(), path: [need(), absolute] }),
  fc: fibreChannel,
  quobyte,
  flocker,
  flexVolume,
  rbd: struct({ monitors: need(), image: need() }),
  cephfs: struct({ monitors: need() }),
  azureDisk,
  vsphereVolume: struct({ volumePath: need() }),
  photonPersistentDisk: struct({ pdID: need() }),
  portworxVolume: struct({ volumeID: need() }),
  scaleIO: struct({ gateway: need(), system: need(), volumeName: need() }),
};

/** By the name of the field. */
export const podSources: Readonly<Record<string, Rule>> = {
  ...shared,
  gitRepo: struct({ repository: need(), directory: descending }),
  iscsi,
  glusterfs,
  cinder: struct({ volumeID: need(), secretRef: named }),
  azureFile: struct({ secretName: need(), shareName: need() }),
  storageos: storageos(named),
  persistentVolumeClaim: struct({ claimName: need() }),
  csi: (csi: CSIVolumeSource, path) => [
    ...csiDriverName(csi.driver, `${path}.driver`),
    ...(csi.nodePublishSecretRef === undefined
      ? []
      : csi.nodePublishSecretRef.name
        ? subdomain(csi.nodePublishSecretRef.name, `${path}.name`)
        : [required(`${path}.nodePublishSecretRef.name`)]),
  ],
};

export const persistentSources: Readonly<Record<string, Rule>> = {
  ...shared,
  iscsi: persistentIscsi,
  glusterfs: all(glusterfs, struct({ endpointsNamespace: set(namespaceName) })),
  cinder: struct({ volumeID: need(), secretRef: namedElsewhere }),
  azureFile: struct({ secretName: need(), shareName: need(), secretNamespace: set(need()) }),
  storageos: storageos(namedElsewhere),
  local: struct({ path: [need(), noBacksteps] }),
  csi: struct({
    driver: csiDriverName,
    volumeHandle: need(),
    controllerPublishSecretRef: secretReference,
    controllerExpandSecretRef: secretReference,
    nodePublishSecretRef: secretReference,
    nodeExpandSecretRef: secretReference,
  }),
};
