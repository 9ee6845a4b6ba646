// The room's front door: other rooms import from here only.

export type * from '../machinery/schema.ts';

export { JsonSyntaxError, parseJson } from '../machinery/text/json.ts';
export { parseYaml, YamlError } from '../machinery/text/yaml.ts';
export * from './body.ts';
export * from './cel/admission-expressions.ts';
export { type DeviceMatcher, DeviceSelectorError, deviceMatcher } from './cel/device-matching.ts';
export { type FindKind, typeWarnings } from './cel/type-checking.ts';
export type { ComputedResource, ObjectReader } from './computed-resource.ts';
export { customKinds, type ObjectConverter } from './custom/custom-kind.ts';
export { convertingSchemas } from './custom/schema.ts';
export { canonical, canonicalChange, canonicalizing, decode, storedForm, storedFormInSteps } from './decode.ts';
export { type Documentation, documentation } from './documentation.ts';
export * from './errors.ts';
export * from './fields.ts';
export type * from './generated/types.ts';
export { resources } from './generated/types.ts';
export type * from './kind.ts';
export { cleanupFinalizer } from './kinds/apiextensions/customresourcedefinition.ts';
export { DecodeError, sortKeys } from './object.ts';
export * from './objects/bootstrap-token.ts';
export * from './objects/conditions.ts';
export * from './objects/csi-volumes.ts';
export * from './objects/devices.ts';
export * from './objects/host-path-volumes.ts';
export { anyAddress, type HostPort, hostPortsOf, portsConflict } from './objects/host-ports.ts';
export { isKubeletLabel } from './objects/kubelet-labels.ts';
export * from './objects/load-balancers.ts';
export * from './objects/node.ts';
export { matchesNode, matchesNodeSelector, matchesTerm } from './objects/node-selector.ts';
export { controllerOf } from './objects/owners.ts';
export * from './objects/pod.ts';
export * from './objects/pod-references.ts';
export { podTemplateOf } from './objects/pod-template.ts';
export type { Scope, Usage } from './objects/quota-rules.ts';
export {
  claimQuota,
  claimUsage,
  countedAs,
  isInScope,
  podQuota,
  podUsage,
  scopesOf,
  serviceUsage,
  UsageSum,
  usageOfObject,
} from './objects/resource-usage.ts';
export { restartsIn, ruleAction } from './objects/restart-policy.ts';
export { tolerates, toleratesDeviceTaint } from './objects/tolerations.ts';
export * from './objects/volume-claims.ts';
export { builtinKinds, KindRegistry, resourceKey } from './registry.ts';
export { allSchemas, schemaKinds, schemaNamed, schemaOfKind } from './schemas.ts';
export { specOf } from './spec-of.ts';
export { canonicalInSteps } from './strategy.ts';
export * from './time.ts';
export { unknownFields } from './unknown-fields.ts';
export { approvalOf } from './validation/crd/approval.ts';
export { validateAnnotations, validateLabels } from './validation/metadata.ts';
export { validateAffinity } from './validation/pod/affinity.ts';
export { validateTolerations } from './validation/pod/tolerations.ts';
export { isExtendedResource } from './validation/resource-names.ts';
export { validateClusterIps } from './validation/service-addresses.ts';
export { comparePriority } from './version-priority.ts';

import type { ObjectMeta } from './generated/types.ts';

/** The type of an object to write, before the server fills in the rest. */
export type Draft<T> = T extends { metadata: ObjectMeta }
  ? Omit<Partial<T>, 'metadata'> & { metadata: Partial<ObjectMeta> }
  : Partial<T>;
export { kubernetesVersion } from './version.ts';
