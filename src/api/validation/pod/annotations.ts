// Annotations that became fields of pods, and must agree with them.

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue } from '../../fields.ts';
import type { Pod, PodSpec } from '../../generated/types.ts';
import { specOf } from '../../spec-of.ts';
import { descending } from '../volume-sources.ts';
import { validateTolerations } from './tolerations.ts';
import { containersOf } from './windows.ts';

export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/';
const appArmorContainer = 'container.apparmor.security.beta.kubernetes.io/';

type Annotations = Readonly<Record<string, string>> | undefined;

/** `anyCost`: the cost of deletion was invalid before, and may stay. */
export function validatePodAnnotations(
  annotations: Annotations,
  spec: PodSpec,
  path: string,
  anyCost = false,
): FieldError[] {
  if (!annotations) return [];
  const errors: FieldError[] = [];
  if (mirrorAnnotation in annotations && !spec.nodeName)
    errors.push(
      invalidValue(
        `${path}[${mirrorAnnotation}]`,
        annotations[mirrorAnnotation],
        'must set spec.nodeName if mirror pod annotation is set',
      ),
    );
  if (annotations[tolerationsAnnotation])
    errors.push(...validateTolerationsText(annotations[tolerationsAnnotation], path));
  const cost = annotations[deletionCost];
  if (!anyCost && !isCost(cost)) errors.push(invalidValue(`${path}[${deletionCost}]`, cost, 'must be a 32bit integer'));
  if (seccompPod in annotations) errors.push(...validateSeccomp(annotations[seccompPod], `${path}.${seccompPod}`));
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(seccompContainer)) errors.push(...validateSeccomp(value, `${path}.${key}`));
    if (key.startsWith(appArmorContainer)) errors.push(...validateAppArmor(key, value, spec, `${path}[${key}]`));
  }
  return errors;
}

/** A number of 32 bits, without a plus sign or zeros in front. */
const isCost = (text: string | undefined): boolean =>
  text === undefined || (/^(-?[1-9]\d{0,9}|0)$/.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31);

function validateTolerationsText(text: string, path: string): FieldError[] {
  try {
    return validateTolerations(JSON.parse(text), `${path}.${tolerationsAnnotation}`);
  } catch {
    return [invalidValue(path, tolerationsAnnotation, "couldn't get version/kind; json parse error")];
  }
}

const seccompDefaults = ['runtime/default', 'docker/default', 'unconfined'];
const localhost = 'localhost/';

function validateSeccomp(profile: string, path: string): readonly FieldError[] {
  if (seccompDefaults.includes(profile)) return [];
  if (profile.startsWith(localhost)) return descending(profile.slice(localhost.length), path);
  return [invalidValue(path, profile, 'must be a valid seccomp profile')];
}

function validateAppArmor(key: string, profile: string, spec: PodSpec, path: string): FieldError[] {
  const name = key.slice(appArmorContainer.length);
  const errors: FieldError[] = [];
  if (![...containersOf(spec, '')].some(([container]) => container.name === name))
    errors.push(invalidValue(path, name, 'container not found'));
  if (profile && !['runtime/default', 'unconfined'].includes(profile) && !profile.startsWith(localhost))
    errors.push(invalidValue(path, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`));
  return errors;
}

/** If a new pod has a profile in both forms, they must agree. */
export function validateProfilesMatch(annotations: Annotations, spec: PodSpec, path: string): FieldError[] {
  if (!annotations) return [];
  const errors: FieldError[] = [];
  const pod = spec.securityContext;
  const defaults = ['runtime/default', 'docker/default'];
  errors.push(
    ...matchProfile('seccomp', annotations[seccompPod], pod?.seccompProfile, defaults, `${path}.securityContext`),
  );
  for (const [{ name, securityContext }, at] of containersOf(spec, path)) {
    const where = `${at}.securityContext`;
    const own = securityContext?.seccompProfile;
    errors.push(...matchProfile('seccomp', annotations[seccompContainer + name], own, defaults, where));
    if (spec.os?.name === 'windows') continue;
    const profile = securityContext?.appArmorProfile ?? pod?.appArmorProfile;
    const text = annotations[appArmorContainer + name];
    errors.push(...matchProfile('apparmor', text, profile, ['runtime/default'], where));
  }
  return errors;
}

function matchProfile(
  feature: 'seccomp' | 'apparmor',
  annotation: string | undefined,
  profile: { type?: string; localhostProfile?: string } | undefined,
  runtimeDefaults: readonly string[],
  path: string,
): FieldError[] {
  if (annotation === undefined || !profile) return [];
  const at = `${path}.${feature === 'seccomp' ? 'seccompProfile' : 'appArmorProfile'}`;
  const differs = (field: string, part: string) => [
    forbiddenField(`${at}.${field}`, `${feature} ${part} in annotation and field must match`),
  ];
  if (profile.type === 'Unconfined') return annotation === 'unconfined' ? [] : differs('type', 'type');
  if (profile.type === 'RuntimeDefault') return runtimeDefaults.includes(annotation) ? [] : differs('type', 'type');
  if (profile.type !== 'Localhost') return [];
  if (!annotation.startsWith(localhost)) return differs('type', 'type');
  return annotation.slice(localhost.length) === profile.localhostProfile ? [] : differs('localhostProfile', 'profile');
}

/** The kubelet's annotations on a pod are immutable; all others are checked as on a new pod. */
export function validateAnnotationUpdate(pod: Pod, live: Pod): FieldError[] {
  const path = 'metadata.annotations';
  const [next, old] = [pod.metadata.annotations ?? {}, live.metadata.annotations ?? {}];
  const errors: FieldError[] = [];
  const fault = (key: string, why: string) => errors.push(forbiddenField(`${path}[${key}]`, why));
  for (const key of Object.keys(old)) {
    if (next[key] === old[key]) continue;
    if (key.startsWith(appArmorContainer)) fault(key, 'may not remove or update AppArmor annotations');
    if (key === mirrorAnnotation) fault(key, 'may not remove or update mirror pod annotation');
  }
  for (const key of Object.keys(next)) {
    if (key in old) continue;
    if (key.startsWith(appArmorContainer)) fault(key, 'may not add AppArmor annotations');
    if (key === mirrorAnnotation) fault(key, 'may not add mirror pod annotation');
  }
  return [...errors, ...validatePodAnnotations(next, specOf(pod), path, hadWrongCost(live))];
}

export const hadWrongCost = ({ metadata }: Pod): boolean => !isCost(metadata.annotations?.[deletionCost]);
