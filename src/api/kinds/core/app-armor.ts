// AppArmor profiles in annotations, which Kubernetes 1.30 replaced by a field.
// https://kubernetes.io/docs/tutorials/security/apparmor/#securing-a-pod

import { deepEqual } from '../../../machinery/collections/equal.ts';
import type { AppArmorProfile, Pod } from '../../generated/types.ts';

const prefix = 'container.apparmor.security.beta.kubernetes.io/';
const localhost = 'localhost/';
const longestName = 4095;

const warnings = new WeakMap<object, readonly string[]>();

/** Warnings of `copyAppArmor` about this pod. */
export const appArmorWarnings = (pod: Pod): readonly string[] => warnings.get(pod) ?? [];

/** Copies the profiles of a new pod's annotations to the fields of its containers. */
export function copyAppArmor(pod: Pod): void {
  const { spec, metadata } = pod;
  if (!spec || spec.os?.name === 'windows') return;
  const found: string[] = [];
  for (const container of [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ]) {
    const key = `${prefix}${container.name}`;
    const annotation = metadata.annotations?.[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(annotation);
    if (profile && deepEqual(profile, spec.securityContext?.appArmorProfile)) continue;
    if (profile) container.securityContext = { ...container.securityContext, appArmorProfile: profile };
    found.push(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
  }
  if (found.length) warnings.set(pod, found);
}

/** Undefined for an annotation that no valid field stands for. */
function profileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith(localhost)) return undefined;
  const name = annotation.slice(localhost.length);
  return name && name.trim() === name && name.length <= longestName
    ? { type: 'Localhost', localhostProfile: name }
    : undefined;
}
