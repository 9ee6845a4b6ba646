import { describe, expect, test } from 'vitest';
import { faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }] } });
const v = 'spec.volumes[0]';
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const lun = 'must be between 0 and 255, inclusive';
const partition = 'must be between 1 and 255, inclusive';
const mode = 'must be a number between 0 and 0777 (octal), both inclusive';
const required = (source: string, ...fields: string[]) =>
  fields.map((field) => `${v}.${source}.${field}: Required value`);
const iscsi = { targetPortal: 'p', iqn: 'iqn.2001-04.com.example:d' };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } };
const conflict = 'conflicting duplicate paths';

type Row = [source: object, faults: string[]];
const expectFaults = (source: object, faults: string[]) =>
  expect(find.onCreate('spec.volumes', [{ name: 'v', ...source }])).toEqual(faults);

describe('sources', () => {
  test.each<Row>([
    [{}, []],
    [
      { emptyDir: { sizeLimit: '-1' } },
      [`${v}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity`],
    ],
    [{ emptyDir: { medium: 'Odd' } }, []],
    [{ hostPath: {} }, required('hostPath', 'path')],
    [
      { hostPath: { path: '/a/..', type: 'Odd' } },
      [
        `${v}.hostPath.path: Invalid value: "/a/..": must not contain '..'`,
        `${v}.hostPath.type: Unsupported value: "Odd": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`,
      ],
    ],
    [
      { gitRepo: { directory: '/x' } },
      [...required('gitRepo', 'repository'), `${v}.gitRepo.directory: Invalid value: "/x": must be a relative path`],
    ],
    [
      { gcePersistentDisk: { partition: 256 } },
      [...required('persistentDisk', 'pdName'), `${v}.persistentDisk.partition: Invalid value: 256: ${partition}`],
    ],
    [
      { awsElasticBlockStore: { partition: -1 } },
      [
        ...required('awsElasticBlockStore', 'volumeID'),
        `${v}.awsElasticBlockStore.partition: Invalid value: -1: ${partition}`,
      ],
    ],
    [{ nfs: {} }, [...required('nfs', 'server', 'path'), `${v}.nfs.path: Invalid value: "": must be an absolute path`]],
    [{ iscsi: {} }, required('iscsi', 'targetPortal', 'iqn')],
    [
      { iscsi: { ...iscsi, iqn: 'eui.1', lun: 256, chapAuthSession: true, initiatorName: 'x' } },
      [
        `${v}.iscsi.iqn: Invalid value: "eui.1": must be valid format`,
        `${v}.iscsi.lun: Invalid value: 256: ${lun}`,
        ...required('iscsi', 'secretRef'),
        `${v}.iscsi.initiatorname: Invalid value: "x": must be valid format starting with iqn, eui, or naa`,
      ],
    ],
    [{ glusterfs: {} }, required('glusterfs', 'endpoints', 'path')],
    [
      { flocker: { datasetName: 'a/b', datasetUUID: 'u' } },
      [
        `${v}.flocker: Invalid value: "resource": datasetName and datasetUUID can not be specified simultaneously`,
        `${v}.flocker.datasetName: Invalid value: "a/b": must not contain '/'`,
      ],
    ],
    [{ persistentVolumeClaim: {} }, required('persistentVolumeClaim', 'claimName')],
    [{ rbd: { monitors: [] } }, required('rbd', 'monitors', 'image')],
    [{ cinder: { secretRef: {} } }, required('cinder', 'volumeID', 'secretRef.name')],
    [{ cephfs: {} }, required('cephfs', 'monitors')],
    [
      { quobyte: { registry: 'a,b:1', tenant: 'x' } },
      [
        `${v}.quobyte.registry: Invalid value: "a,b:1": must be a host:port pair or multiple pairs separated by commas`,
        ...required('quobyte', 'volume'),
      ],
    ],
    [
      { quobyte: { registry: 'a', tenant: 'x'.repeat(65), volume: 'v' } },
      [`${v}.quobyte.tenant: Required value: must be a UUID and may not exceed a length of 64 characters`],
    ],
    [
      { fc: { targetWWNs: ['a'], wwids: ['b'] } },
      [
        `${v}.fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously`,
        `${v}.fc.lun: Required value: lun is required if targetWWNs is specified`,
      ],
    ],
    [
      { fc: { lun: 256 } },
      [`${v}.fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both`],
    ],
    [
      { flexVolume: { options: { 'A.K8s.io/x': 'y', z: '' } } },
      [
        ...required('flexVolume', 'driver'),
        `${v}.flexVolume.options[A.K8s.io/x]: Invalid value: "A.K8s.io/x": kubernetes.io and k8s.io namespaces are reserved`,
      ],
    ],
    [{ azureFile: {} }, required('azureFile', 'secretName', 'shareName')],
    [{ vsphereVolume: {} }, required('vsphereVolume', 'volumePath')],
    [{ photonPersistentDisk: {} }, required('photonPersistentDisk', 'pdID')],
    [{ portworxVolume: {} }, required('portworxVolume', 'volumeID')],
    [
      { azureDisk: { cachingMode: 'Odd', kind: 'Dedicated', diskURI: 'x' } },
      [
        ...required('azureDisk', 'diskName'),
        `${v}.azureDisk.cachingMode: Unsupported value: "Odd": supported values: "None", "ReadOnly", "ReadWrite"`,
        `${v}.azureDisk.diskURI: Unsupported value: "x": supported values: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"`,
      ],
    ],
    [
      { azureDisk: { kind: 'Managed', diskName: 'n', diskURI: 'https://x' } },
      [
        `${v}.azureDisk.diskURI: Unsupported value: "https://x": supported values: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"`,
      ],
    ],
    [
      { azureDisk: { kind: '', diskName: 'n', diskURI: 'https://x' } },
      [`${v}.azureDisk.kind: Unsupported value: "": supported values: "Dedicated", "Managed", "Shared"`],
    ],
    [
      { storageos: { volumeNamespace: 'a.b', secretRef: {} } },
      [
        ...required('storageos', 'volumeName'),
        `${v}.storageos.volumeNamespace: Invalid value: "a.b": must not contain dots`,
        ...required('storageos', 'secretRef.name'),
      ],
    ],
    [{ scaleIO: {} }, required('scaleIO', 'gateway', 'system', 'volumeName')],
    [
      { csi: { driver: `A${'x'.repeat(63)}_`, nodePublishSecretRef: { name: 'S' } } },
      [
        `${v}.csi.driver: Too long: may not be more than 63 bytes`,
        `${v}.csi.driver: Invalid value: "A${'x'.repeat(63)}_": ${subdomain}`,
        `${v}.csi.name: Invalid value: "S": ${subdomain}`,
      ],
    ],
    [{ csi: { driver: 'd', nodePublishSecretRef: {} } }, required('csi', 'nodePublishSecretRef.name')],
    [{ image: {} }, required('image', 'reference')],
    [
      { image: { reference: 'i', pullPolicy: 'Odd' } },
      [`${v}.image.pullPolicy: Unsupported value: "Odd": supported values: "Always", "IfNotPresent", "Never"`],
    ],
    [
      { ephemeral: { volumeClaimTemplate: { metadata: { name: 'x', finalizers: [] }, spec: claim } } },
      ['name', 'finalizers'].map(
        (field) => `${v}.ephemeral.volumeClaimTemplate.metadata.${field}: Forbidden: cannot be set`,
      ),
    ],
    [
      { ephemeral: { volumeClaimTemplate: {} } },
      [
        `${v}.ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required`,
        `${v}.ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value`,
      ],
    ],
    [
      { secret: { defaultMode: 512, items: [{ path: '..a', mode: -1 }] } },
      [
        ...required('secret', 'secretName'),
        `${v}.secret.defaultMode: Invalid value: 512: ${mode}`,
        ...required('secret', 'items[0].key'),
        `${v}.secret.items[0].path: Invalid value: "..a": must not start with '..'`,
        `${v}.secret.items[0].mode: Invalid value: -1: ${mode}`,
      ],
    ],
    [{ configMap: { items: [{ key: 'k' }] } }, required('configMap', 'name', 'items[0].path')],
    [
      { downwardAPI: { defaultMode: -1, items: [{}] } },
      [
        `${v}.downwardAPI.defaultMode: Invalid value: -1: ${mode}`,
        ...required('downwardAPI', 'path'),
        `${v}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required`,
      ],
    ],
    [
      {
        downwardAPI: {
          items: [
            { path: '/x', fieldRef: { fieldPath: 'spec.nodeName' }, resourceFieldRef: { resource: 'limits.cpu' } },
            { path: 'y', resourceFieldRef: { resource: 'limits.cpu' }, mode: 512 },
          ],
        },
      },
      [
        `${v}.downwardAPI.path: Invalid value: "/x": must be a relative path`,
        `${v}.downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"`,
        `${v}.downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously`,
        ...required('downwardAPI', 'resourceFieldRef.containerName'),
        `${v}.downwardAPI.mode: Invalid value: 512: ${mode}`,
      ],
    ],
    [
      { cephfs: { monitors: [] }, downwardAPI: {}, secret: {}, nfs: {} },
      [
        ...required('secret', 'secretName'),
        ...['nfs', 'cephFS', 'downwarAPI'].map(
          (source) => `${v}.${source}: Forbidden: may not specify more than 1 volume type`,
        ),
      ],
    ],
  ])('%j', expectFaults);
});

describe('projections', () => {
  const p = `${v}.projected`;
  const projected = (...sources: object[]) => ({ projected: { sources } });
  const item = { key: 'k', path: 'p' };
  test.each<Row>([
    [{ projected: {} }, []],
    [{ projected: { sources: [], defaultMode: 512 } }, [`${p}.defaultMode: Invalid value: 512: ${mode}`]],
    [projected({}), []],
    [
      projected({ secret: { name: 's', items: [item] } }, { configMap: { name: 'c', items: [item] } }),
      [`${p}: Invalid value: "c": ${conflict}`],
    ],
    [
      projected({ secret: {}, downwardAPI: { items: [{ path: '', fieldRef: { fieldPath: 'metadata.name' } }] } }),
      [
        `${p}.sources[0].secret.name: Required value`,
        `${p}.sources[0].downwardAPI.path: Required value`,
        `${p}.sources[0]: Forbidden: may not specify more than 1 volume type per source`,
      ],
    ],
    [
      projected({ serviceAccountToken: { expirationSeconds: 599 } }),
      [
        `${p}.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes`,
        `${p}.path: Required value`,
        `${p}.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
      ],
    ],
    [
      projected({ serviceAccountToken: { expirationSeconds: 2 ** 32 + 1, path: '../t' } }),
      [
        `${p}.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds`,
        `${p}.path: Invalid value: "../t": must not contain '..'`,
        `${p}.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
      ],
    ],
    // Their feature gates are off: the server drops these sources.
    [projected({ clusterTrustBundle: {} }, { podCertificate: {} }), []],
  ])('%j', expectFaults);
});

describe('names', () => {
  test.each<[volumes: object[], faults: string[]]>([
    [[{ emptyDir: {} }], [`${v}.name: Required value`]],
    [[{ name: 'a.b', emptyDir: {} }], [`${v}.name: Invalid value: "a.b": must not contain dots`]],
    [
      [
        { name: 'v', emptyDir: {} },
        { name: 'v', persistentVolumeClaim: {} },
      ],
      ['spec.volumes[1].persistentVolumeClaim.claimName: Required value', 'spec.volumes[1].name: Duplicate value: "v"'],
    ],
    // A volume with faults does not take its name.
    [
      [
        { name: 'v', persistentVolumeClaim: {} },
        { name: 'v', emptyDir: {} },
      ],
      required('persistentVolumeClaim', 'claimName'),
    ],
    [
      [
        { name: 'e', ephemeral: { volumeClaimTemplate: { spec: claim } } },
        { name: 'v', persistentVolumeClaim: { claimName: 'x-e' } },
      ],
      [
        'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "x-e": must not reference a PVC that gets created for an ephemeral volume',
      ],
    ],
    [
      [{ name: 'v'.repeat(61), iscsi: { ...iscsi, targetPortal: 'port', initiatorName: 'iqn.2001-04.com.example:d' } }],
      [
        `${v}.name: Invalid value: "${'v'.repeat(61)}": Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.`,
      ],
    ],
  ])('%j', (volumes, faults) => expect(find.onCreate('spec.volumes', volumes)).toEqual(faults));
});
