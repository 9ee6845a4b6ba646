// Which standard of pod security counts in a namespace, and who is exempt from it.
// https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/

import { duplicate, type FieldError, invalidValue, type Namespace } from '../../api/api.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import { readVersioned, refuseFaults } from '../access/configuration-file.ts';
import type { Level } from './pod-security-checks.ts';

export type Mode = 'enforce' | 'audit' | 'warn';
export interface Standard {
  readonly level: Level;
  /** "latest" or "v1.N". */
  readonly version: string;
}
export type Policy = Readonly<Record<Mode, Standard>>;

export interface PodSecurityConfiguration {
  /** For namespaces without labels. */
  readonly defaults: Policy;
  readonly exemptions: Readonly<Record<Exemption, readonly string[]>>;
}
type Exemption = 'usernames' | 'namespaces' | 'runtimeClasses';

export const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const isLevel = (text: string): text is Level => levels.includes(text as Level);
const isVersion = (text: string): boolean => text === 'latest' || /^v1\.(0|[1-9]\d*)$/.test(text);
const levelRule = `must be one of ${levels.join(', ')}`;
const versionRule = 'must be "latest" or "v1.x"';

export const textOf = ({ level, version }: Standard): string => `${level}:${version}`;

/**
 * The policy of the labels. An invalid level enforces the strictest one, and neither warns nor is audited; an invalid
 * version is the latest. Without a label, the level of `warn` is at least as strict as the label of `enforce`.
 */
export function policyOf({ metadata }: Namespace, defaults: Policy): { policy: Policy; faults: string[] } {
  const faults: string[] = [];
  const labelled = (suffix: string) => metadata.labels?.[`pod-security.kubernetes.io/${suffix}`];
  const fault = (suffix: string, value: string, rule: string) =>
    faults.push(
      `metadata.labels[pod-security.kubernetes.io/${suffix}]: Invalid value: ${JSON.stringify(value)}: ${rule}`,
    );
  const one = (mode: Mode): Standard => {
    const level = labelled(mode) ?? defaults[mode].level;
    const version = labelled(`${mode}-version`) ?? defaults[mode].version;
    if (!isLevel(level)) fault(mode, level, levelRule);
    if (!isVersion(version)) fault(`${mode}-version`, version, versionRule);
    const otherwise = mode === 'enforce' ? 'restricted' : 'privileged';
    return { level: isLevel(level) ? level : otherwise, version: isVersion(version) ? version : 'latest' };
  };
  const [enforce, audit, warn] = [one('enforce'), one('audit'), one('warn')];
  const raisesWarn =
    isLevel(labelled('enforce') ?? '') &&
    labelled('warn') === undefined &&
    levels.indexOf(enforce.level) > levels.indexOf(warn.level);
  if (!raisesWarn) return { policy: { enforce, audit, warn }, faults };
  const version = labelled('warn-version') === undefined ? enforce.version : warn.version;
  return { policy: { enforce, audit, warn: { level: enforce.level, version } }, faults };
}

type Given = {
  readonly defaults?: Readonly<Record<string, string | null>> | null;
  readonly exemptions?: Readonly<Partial<Record<Exemption, readonly string[] | null>>> | null;
};

/** Kubernetes' default without a text. Throws AccessConfigurationError. */
export function parsePodSecurity(text?: string): PodSecurityConfiguration {
  const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `pod-security.admission.config.k8s.io/${version}`);
  const given: Given =
    text === undefined
      ? {}
      : readVersioned<Given>(text, [{ kind: 'PodSecurityConfiguration', versions }], {
          defaults: {
            enforce: 'string',
            'enforce-version': 'string',
            audit: 'string',
            'audit-version': 'string',
            warn: 'string',
            'warn-version': 'string',
          },
          exemptions: {
            usernames: 'list of strings',
            namespaces: 'list of strings',
            runtimeClasses: 'list of strings',
          },
        });
  const { defaults, exemptions } = given;
  const exempt = (field: Exemption) => exemptions?.[field] ?? [];
  refuseFaults([
    ...(['enforce', 'warn', 'audit'] as const).flatMap((mode) => standardFaults(defaults ?? {}, mode)),
    ...listFaults('namespaces', exempt('namespaces'), dns1123LabelFaults),
    ...listFaults('runtimeClasses', exempt('runtimeClasses'), dns1123SubdomainFaults),
    ...listFaults('usernames', exempt('usernames'), (name) => (name ? [] : ['username must not be empty'])),
  ]);
  const one = (mode: Mode): Standard => ({
    level: (defaults?.[mode] || 'privileged') as Level,
    version: defaults?.[`${mode}-version`] || 'latest',
  });
  return {
    defaults: { enforce: one('enforce'), audit: one('audit'), warn: one('warn') },
    exemptions: {
      usernames: exempt('usernames'),
      namespaces: exempt('namespaces'),
      runtimeClasses: exempt('runtimeClasses'),
    },
  };
}

function standardFaults(defaults: NonNullable<Given['defaults']>, mode: Mode): FieldError[] {
  const level = defaults[mode] || 'privileged';
  const version = defaults[`${mode}-version`] || 'latest';
  return [
    ...(isLevel(level) ? [] : [invalidValue(`defaults.${mode}`, level, levelRule)]),
    ...(isVersion(version) ? [] : [invalidValue(`defaults.${mode}-version`, version, versionRule)]),
  ];
}

function listFaults(field: string, names: readonly string[], faultsOf: (name: string) => readonly string[]) {
  return names.flatMap((name, index): FieldError[] => {
    const path = `exemptions.${field}[${index}]`;
    const faults = faultsOf(name);
    if (faults.length) return [invalidValue(path, name, faults.join(', '))];
    return names.indexOf(name) < index ? [duplicate(path, name)] : [];
  });
}
