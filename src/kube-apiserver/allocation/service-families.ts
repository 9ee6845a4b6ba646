// Families of a service's cluster IPs: completed from its policy and addresses, and checked against the cluster's.
// https://kubernetes.io/docs/concepts/services-networking/dual-stack/#services

import { type FieldError, invalid, type Service, specOf, validateClusterIps } from '../../api/api.ts';
import { parseIp } from '../../machinery/ip.ts';

export type Family = 'IPv4' | 'IPv6';
type Spec = NonNullable<Service['spec']>;

export const familyName = (family: 4 | 6): Family => `IPv${family}`;
const familyOf = (address: string): Family => familyName(parseIp(address)?.family ?? 4);
const otherThan = (family: string): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/**
 * Sets `ipFamilyPolicy` and `ipFamilies`, the cluster's primary family first in `configured`. Throws an ApiError (422).
 * Comes before validation, whose rules are those of a complete service.
 */
export function completeFamilies(next: Service, live: Service | undefined, configured: readonly Family[]): void {
  const spec = specOf(next);
  const before = live?.spec;
  if (spec.type === 'ExternalName') return;
  if (isUnchangedPreference(spec, before)) return;
  const isFree = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (isFree ? 'RequireDualStack' : 'SingleStack');
  const isSingle = spec.ipFamilyPolicy === 'SingleStack';
  refuseIf(next, validateClusterIps(spec, before?.clusterIPs));
  if (before && isSingle) releaseSecond(spec, before);
  const reductions = before && !isSingle ? reductionErrors(spec, before) : [];
  refuseIf(next, [...reductions, ...policyErrors(spec), ...inferFamilies(spec, configured)]);
  // Users make the endpoints, of any family.
  if (!isFree) refuseIf(next, clusterErrors(spec, configured));
  const families = spec.ipFamilies?.length ? spec.ipFamilies : [configured[0]];
  const isWidened = !isSingle && families.length === 1 && (isFree || configured.length === 2);
  spec.ipFamilies = isWidened ? [families[0], otherThan(families[0])] : families;
}

/** A change of the cluster's families does not change such a service. */
function isUnchangedPreference(spec: Spec, before: Spec | undefined): boolean {
  if (!before || spec.type !== before.type) return false;
  if (spec.ipFamilyPolicy !== 'PreferDualStack' || before.ipFamilyPolicy !== 'PreferDualStack') return false;
  return isSame(spec.clusterIPs, before.clusterIPs) && isSame(spec.ipFamilies, before.ipFamilies);
}

const isSame = (a: readonly string[] = [], b: readonly string[] = []): boolean => a.join() === b.join();

/** The policy SingleStack alone means that the second address goes. */
function releaseSecond(spec: Spec, before: Spec): void {
  if (isSame(spec.clusterIPs, before.clusterIPs)) spec.clusterIPs = spec.clusterIPs?.slice(0, 1);
  if (isSame(spec.ipFamilies, before.ipFamilies)) spec.ipFamilies = spec.ipFamilies?.slice(0, 1);
}

/** Any other policy keeps both. */
function reductionErrors(spec: Spec, before: Spec): FieldError[] {
  const isReduced = (now: readonly string[] = [], was: readonly string[] = []) =>
    now.length > 0 && now.length < was.length;
  const error = (what: string) =>
    fault('spec.ipFamilyPolicy', spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(isReduced(spec.clusterIPs, before.clusterIPs) ? [error('cluster IP')] : []),
    ...(isReduced(spec.ipFamilies, before.ipFamilies) ? [error('IP family')] : []),
  ];
}

function policyErrors({ ipFamilyPolicy, clusterIPs = [], ipFamilies = [] }: Spec): FieldError[] {
  if (ipFamilyPolicy !== 'SingleStack') return [];
  const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
  const error = (what: string) => fault('spec.ipFamilyPolicy', ipFamilyPolicy, `${must} ${what} are specified`);
  return [
    ...(clusterIPs.length === 2 ? [error('cluster IPs')] : []),
    ...(ipFamilies.length === 2 ? [error('IP families')] : []),
  ];
}

/** The families of given addresses. */
function inferFamilies(spec: Spec, configured: readonly Family[]): FieldError[] {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  const missing = clusterIPs.filter((ip, index) => ip !== 'None' && index >= ipFamilies.length);
  const families = missing.map(familyOf);
  if (families.length > 0) spec.ipFamilies = [...ipFamilies, ...families];
  return families.flatMap((family, index) =>
    configured.includes(family)
      ? []
      : [
          fault(
            `spec.clusterIPs[${ipFamilies.length + index}]`,
            clusterIPs,
            `${family} is not configured on this cluster`,
          ),
        ],
  );
}

function clusterErrors({ ipFamilyPolicy, ipFamilies = [] }: Spec, configured: readonly Family[]): FieldError[] {
  const isMissing = ipFamilyPolicy === 'RequireDualStack' && configured.length < 2;
  return [
    ...(isMissing
      ? [fault('spec.ipFamilyPolicy', ipFamilyPolicy, 'this cluster is not configured for dual-stack services')]
      : []),
    ...ipFamilies.flatMap((family, index) =>
      configured.some((each) => each === family)
        ? []
        : [fault(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster')],
    ),
  ];
}

const fault = (field: string, value: unknown, message: string): FieldError => ({
  type: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
});

function refuseIf({ metadata }: Service, errors: FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: '', kind: 'Service' }, metadata.name ?? '', errors);
}
