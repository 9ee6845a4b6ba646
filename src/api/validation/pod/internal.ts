// How Kubernetes prints a pod's spec inside a message: as its internal type, with Go's names of fields and with nothing
// left out.

import type { Schema } from '../../../machinery/schema.ts';
import type { PodSpec, PodTemplateSpec } from '../../generated/types.ts';
import { schemaNamed } from '../../schemas.ts';

/** Orders that differ from the published types'; fields that are not listed come after, in the published order. */
const orders: Readonly<Record<string, readonly string[]>> = {
  PodSpec:
    'volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride schedulingGroup'.split(
      ' ',
    ),
  Container:
    'name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty'.split(
      ' ',
    ),
  PodSecurityContext:
    'hostNetwork hostPID hostIPC shareProcessNamespace hostUsers seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile appArmorProfile seLinuxChangePolicy'.split(
      ' ',
    ),
  Volume:
    'name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image'.split(
      ' ',
    ),
  VolumeMount: 'name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr'.split(' '),
};

/** What moved: internally these are fields of the security context, and the old name of the account is gone. */
const moved = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'] as const;
const gone = [...moved, 'serviceAccount'];

const words = /^(dns|tty|nfs|iscsi|rbd|fc|csi|os|gce|aws|uid|api|ip|http|tcp|grpc|fs|se|scsi|url|tls)(?=[A-Z]|$)/;
const special: Readonly<Record<string, string>> = { cephfs: 'CephFS', storageos: 'StorageOS', ip: 'IP' };

const goName = (name: string): string =>
  special[name] ??
  name.replace(words, (word) => word.toUpperCase()).replace(/^[a-z]/, (letter) => letter.toUpperCase());

/** A pod's spec as its internal type. */
export function internalSpec(spec: PodSpec): unknown {
  const source: any = spec;
  const securityContext = {
    ...Object.fromEntries(moved.map((field) => [field, source[field]])),
    ...spec.securityContext,
  };
  return render(schemaNamed('io.k8s.api.core.v1.PodSpec'), { ...source, securityContext });
}

export const internalTemplate = (template: PodTemplateSpec | undefined): unknown => ({
  ...template?.metadata,
  Spec: internalSpec(template?.spec ?? { containers: [] }),
});

/** Any value of a published type, with Go's names. */
export function render(schema: Schema, value: any): unknown {
  if (value === undefined || value === null) return empty(schema);
  if (Array.isArray(value)) return value.map((item) => render(schema.items ?? {}, item));
  if (typeof value !== 'object' || !schema.properties) return value;
  const type = schema.name?.split('.').at(-1) ?? '';
  const known = Object.keys(schema.properties).filter((name) => type !== 'PodSpec' || !gone.includes(name));
  const order = orders[type] ?? known;
  const out: Record<string, unknown> = {};
  for (const name of [...order, ...known.filter((field) => !order.includes(field))]) {
    const field = schema.properties[name] ?? podSpecField(name);
    if (field) out[goName(name)] = render(field, value[name]);
  }
  return out;
}

const podSpecField = (name: string): Schema | undefined => schemaNamed('io.k8s.api.core.v1.PodSpec').properties?.[name];

function empty(schema: Schema): unknown {
  if (schema.presence === 'set' || schema.presence === 'nullable') return null;
  switch (schema.type) {
    case 'string':
      return schema.format ? null : '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'object':
      return schema.properties ? render(schema, {}) : null;
    default:
      return null;
  }
}
