// The options of admission plugins, by kube-apiserver's flags.

import { file, setting } from './setting.ts';
import { namesOf } from './setting-values.ts';

/** Admission plugins by their names in Kubernetes, in its order: those that run by default. */
export const defaultAdmissionPlugins = [
  'NamespaceLifecycle',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'PodSecurity',
  'Priority',
  'DefaultTolerationSeconds',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'PodGroupProtection',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'ClusterTrustBundleAttest',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'PodTopologyLabels',
  'PodGroupWorkloadExists',
  'NodeDeclaredFeatureValidator',
  'JobValidation',
  'PodResizeValidator',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
] as const;

/** Plugins that run only by name. */
export const optionalAdmissionPlugins = [
  'AlwaysAdmit',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'LimitPodHardAntiAffinityTopology',
  'AlwaysPullImages',
  'ImagePolicyWebhook',
  'PodNodeSelector',
  'PodTolerationRestriction',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'OwnerReferencesPermissionEnforcement',
  'DenyServiceExternalIPs',
  'AlwaysDeny',
] as const;

const admissionPluginNames = [...defaultAdmissionPlugins, ...optionalAdmissionPlugins];

export const admissionSettings = {
  enableAdmissionPlugins: setting<readonly string[]>({
    flag: 'enable-admission-plugins',
    argument: '<list>',
    help: 'admission plugins to run in addition to the default ones, separated by commas',
    default: [],
    read: namesOf('admission plugin', admissionPluginNames),
  }),
  disableAdmissionPlugins: setting<readonly string[]>({
    flag: 'disable-admission-plugins',
    argument: '<list>',
    help: 'default admission plugins to skip, separated by commas',
    default: [],
    read: namesOf('admission plugin', admissionPluginNames),
  }),
  admissionControlConfig: file({
    flag: 'admission-control-config-file',
    argument: '<file>',
    help: 'AdmissionConfiguration: configuration of admission plugins',
  }),
};
