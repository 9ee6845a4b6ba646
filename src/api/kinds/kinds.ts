// The behaviour of each kind: one line a kind, from the file named after it.

import type { KindBehaviour } from '../kind.ts';
import { mutatingAdmissionPolicy, validatingAdmissionPolicy } from './admissionregistration/policies.ts';
import {
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicyBinding,
} from './admissionregistration/policy-bindings.ts';
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from './admissionregistration/webhooks.ts';
import { customResourceDefinition } from './apiextensions/customresourcedefinition.ts';
import { apiService } from './apiregistration/apiservice.ts';
import { controllerRevision } from './apps/controllerrevision.ts';
import { daemonSet } from './apps/daemonset.ts';
import { deployment } from './apps/deployment.ts';
import { replicaSet } from './apps/replicaset.ts';
import { statefulSet } from './apps/statefulset.ts';
import { horizontalPodAutoscaler, horizontalPodAutoscalerV1 } from './autoscaling/horizontalpodautoscaler.ts';
import { cronJob } from './batch/cronjob.ts';
import { job } from './batch/job.ts';
import { certificateSigningRequest } from './certificates/certificatesigningrequest.ts';
import { lease } from './coordination/lease.ts';
import { componentStatus } from './core/componentstatus.ts';
import { configMap } from './core/configmap.ts';
import { endpoints } from './core/endpoints.ts';
import { event } from './core/event.ts';
import { limitRange } from './core/limitrange.ts';
import { namespace } from './core/namespace.ts';
import { node } from './core/node.ts';
import { persistentVolume } from './core/persistentvolume.ts';
import { persistentVolumeClaim } from './core/persistentvolumeclaim.ts';
import { pod } from './core/pod.ts';
import { podTemplate } from './core/podtemplate.ts';
import { replicationController } from './core/replicationcontroller.ts';
import { resourceQuota } from './core/resourcequota.ts';
import { secret } from './core/secret.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/serviceaccount.ts';
import { endpointSlice } from './discovery/endpointslice.ts';
import { eventsEvent } from './events/event.ts';
import { flowSchema } from './flowcontrol/flowschema.ts';
import { priorityLevelConfiguration } from './flowcontrol/prioritylevelconfiguration.ts';
import { ingress } from './networking/ingress.ts';
import { ingressClass } from './networking/ingressclass.ts';
import { ipAddress } from './networking/ipaddress.ts';
import { networkPolicy } from './networking/networkpolicy.ts';
import { serviceCidr } from './networking/servicecidr.ts';
import { runtimeClass } from './node/runtimeclass.ts';
import { podDisruptionBudget } from './policy/poddisruptionbudget.ts';
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac/rbac.ts';
import { deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice } from './resource/dra.ts';
import { priorityClass } from './scheduling/priorityclass.ts';
import { csiDriver, csiNode, csiStorageCapacity } from './storage/csi.ts';
import { storageClass } from './storage/storageclass.ts';
import { volumeAttachment } from './storage/volumeattachment.ts';
import { volumeAttributesClass } from './storage/volumeattributesclass.ts';

/** By resource: `plural` or `plural.group`, with `/version` where versions differ. */
export const behaviours: Readonly<Record<string, KindBehaviour>> = {
  'apiservices.apiregistration.k8s.io': apiService,
  'certificatesigningrequests.certificates.k8s.io': certificateSigningRequest,
  'clusterrolebindings.rbac.authorization.k8s.io': clusterRoleBinding,
  'clusterroles.rbac.authorization.k8s.io': clusterRole,
  componentstatuses: componentStatus,
  configmaps: configMap,
  'controllerrevisions.apps': controllerRevision,
  'cronjobs.batch': cronJob,
  'csidrivers.storage.k8s.io': csiDriver,
  'csinodes.storage.k8s.io': csiNode,
  'csistoragecapacities.storage.k8s.io': csiStorageCapacity,
  'customresourcedefinitions.apiextensions.k8s.io': customResourceDefinition,
  'daemonsets.apps': daemonSet,
  'deployments.apps': deployment,
  'deviceclasses.resource.k8s.io': deviceClass,
  endpoints,
  'endpointslices.discovery.k8s.io': endpointSlice,
  events: event,
  'events.events.k8s.io': eventsEvent,
  'flowschemas.flowcontrol.apiserver.k8s.io': flowSchema,
  'horizontalpodautoscalers.autoscaling/v1': horizontalPodAutoscalerV1,
  'horizontalpodautoscalers.autoscaling/v2': horizontalPodAutoscaler,
  'ingressclasses.networking.k8s.io': ingressClass,
  'ingresses.networking.k8s.io': ingress,
  'ipaddresses.networking.k8s.io': ipAddress,
  'jobs.batch': job,
  'leases.coordination.k8s.io': lease,
  limitranges: limitRange,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': mutatingAdmissionPolicy,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': mutatingAdmissionPolicyBinding,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': mutatingWebhookConfiguration,
  namespaces: namespace,
  'networkpolicies.networking.k8s.io': networkPolicy,
  nodes: node,
  persistentvolumeclaims: persistentVolumeClaim,
  persistentvolumes: persistentVolume,
  'poddisruptionbudgets.policy': podDisruptionBudget,
  pods: pod,
  podtemplates: podTemplate,
  'priorityclasses.scheduling.k8s.io': priorityClass,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': priorityLevelConfiguration,
  'replicasets.apps': replicaSet,
  replicationcontrollers: replicationController,
  'resourceclaims.resource.k8s.io': resourceClaim,
  'resourceclaimtemplates.resource.k8s.io': resourceClaimTemplate,
  resourcequotas: resourceQuota,
  'resourceslices.resource.k8s.io': resourceSlice,
  'rolebindings.rbac.authorization.k8s.io': roleBinding,
  'roles.rbac.authorization.k8s.io': role,
  'runtimeclasses.node.k8s.io': runtimeClass,
  secrets: secret,
  serviceaccounts: serviceAccount,
  'servicecidrs.networking.k8s.io': serviceCidr,
  services: service,
  'statefulsets.apps': statefulSet,
  'storageclasses.storage.k8s.io': storageClass,
  'validatingadmissionpolicies.admissionregistration.k8s.io': validatingAdmissionPolicy,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': validatingAdmissionPolicyBinding,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': validatingWebhookConfiguration,
  'volumeattachments.storage.k8s.io': volumeAttachment,
  'volumeattributesclasses.storage.k8s.io': volumeAttributesClass,
};
