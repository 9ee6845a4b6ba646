import { byteLength, dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import { defaultBlockVolumes } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required, tooLong, unchanged } from '../../fields.ts';
import type { VolumeAttachment } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateVolumeSpec } from '../../validation/persistent-volume.ts';
import { given, type Rule, struct, text } from '../../validation/rules.ts';
import { csiDriverName } from '../../validation/volume-sources.ts';
import { keepMetadata } from '../keep-metadata.ts';

type Source = VolumeAttachment['spec']['source'];

const mostMetadataBytes = 256 * 1024;
const mostErrorBytes = 1024;

export const volumeAttachment: KindBehaviour<VolumeAttachment> = {
  answersDeleted: true,
  cells: {
    Attacher: (a) => a.spec.attacher,
    PV: (a) => a.spec.source.persistentVolumeName ?? '',
    Node: (a) => a.spec.nodeName,
    Attached: (a) => a.status?.attached ?? false,
  },
  strategy: {
    allowUnconditionalUpdate: false,
    metadataOnUpdate: ['whole'],
    setDefaults({ spec }) {
      const volume = spec?.source?.inlineVolumeSpec;
      if (volume) defaultBlockVolumes(volume);
      if (volume?.hostPath) volume.hostPath.type ??= '';
    },
    validate,
    validateUpdate,
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate: keepMetadata,
        validateUpdate,
      },
    },
  },
};

function validate({ spec, status }: VolumeAttachment): FieldError[] {
  const name = spec.source?.persistentVolumeName;
  return [
    ...csiDriverName(spec.attacher, 'spec.attacher'),
    ...validateSource(spec.source ?? {}, 'spec.source'),
    ...subdomain(spec.nodeName, 'spec.nodeName'),
    ...statusRules(status, 'status'),
    ...(name === undefined ? [] : subdomain(name, 'spec.source.persistentVolumeName')),
  ];
}

function validateUpdate(next: VolumeAttachment, old: VolumeAttachment): FieldError[] {
  const shown = ({ spec }: VolumeAttachment) => internal('storage.VolumeAttachmentSpec', spec);
  return [...validate(next), ...unchanged('spec', shown(next), shown(old))];
}

const subdomain = text(dns1123SubdomainFaults);

function validateSource({ inlineVolumeSpec, persistentVolumeName }: Source, path: string): FieldError[] {
  const why = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec) {
    if (persistentVolumeName !== undefined) return [forbiddenField(path, why)];
    return validateVolumeSpec(inlineVolumeSpec, `${path}.inlineVolumeSpec`, '', true);
  }
  if (persistentVolumeName === undefined) return [required(path, why)];
  return persistentVolumeName
    ? []
    : [required(`${path}.persistentVolumeName`, 'must specify non empty persistentVolumeName')];
}

const volumeError: Rule = struct({
  // Kubernetes names the other limit here.
  message: given((message: string, path) =>
    byteLength(message) > mostErrorBytes ? [tooLong(path, mostMetadataBytes)] : [],
  ),
  errorCode: (code: number, path) =>
    code < 0 ? [invalidValue(path, code, `must be between 0 and ${2 ** 31 - 1}, inclusive`)] : [],
});

const statusRules = struct({
  attachmentMetadata: (metadata: Record<string, string> | undefined, path) => {
    const entries = Object.entries(metadata ?? {});
    const size = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
    return size > mostMetadataBytes ? [tooLong(path, mostMetadataBytes)] : [];
  },
  attachError: volumeError,
  detachError: volumeError,
});
