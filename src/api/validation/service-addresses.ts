// A service's cluster IPs and their families: consistency and immutability.

import { parseIp } from '../../machinery/ip.ts';
import { type FieldError, mostFaults } from '../errors.ts';
import { duplicate, invalidValue, required } from '../fields.ts';
import type { Service } from '../generated/types.ts';
import { legacyIp } from './network.ts';
import { oneOfThese, type Rule, set } from './rules.ts';

type Spec = NonNullable<Service['spec']>;

export const isHeadless = ({ clusterIPs }: Spec): boolean => clusterIPs?.length === 1 && clusterIPs[0] === 'None';

const path = 'spec.clusterIPs';
const familiesPath = 'spec.ipFamilies';
const family = oneOfThese('IPv4', 'IPv6');
const families: Rule = (list: readonly string[] = [], at) => {
  const seen = new Set<string>();
  return list.slice(0, mostFaults).flatMap((name, index) => {
    const isRepeated = seen.has(name);
    seen.add(name);
    return [...family(name, `${at}[${index}]`), ...(isRepeated ? [duplicate(`${at}[${index}]`, name)] : [])];
  });
};
const policy = set(oneOfThese('PreferDualStack', 'RequireDualStack', 'SingleStack'));

export function validateClusterIps(spec: Spec, before: readonly string[] | undefined): FieldError[] {
  if (spec.type === 'ExternalName') return [];
  const { clusterIP, clusterIPs: ips = [] } = spec;
  const errors: FieldError[] = [];
  if (clusterIP && !ips.length) errors.push(required(path));
  else if (clusterIP && ips[0] !== clusterIP)
    errors.push(invalidValue(path, ips, 'first value must match `clusterIP`'));
  else if (!clusterIP && ips.length)
    errors.push(invalidValue(path, ips, 'must be empty when `clusterIP` is not specified'));
  errors.push(...families(spec.ipFamilies, familiesPath), ...policy(spec.ipFamilyPolicy, 'spec.ipFamilyPolicy'));
  const first = ips.slice(0, mostFaults);
  const wrong = first.flatMap((ip, index) => {
    if (index || ip !== 'None') return legacyIp(`${path}[${index}]`, ip, new Set(before));
    return ips.length > 1 ? [invalidValue(path, ips, "'None' must be the first and only value")] : [];
  });
  errors.push(...wrong);
  if (ips.length > 2) errors.push(invalidValue(path, ips, 'may only hold up to 2 values'));
  return wrong.length ? errors : [...errors, ...validateFamilies(spec, first)];
}

const familyOf = (ip: string) => `IPv${parseIp(ip)?.family}`;

function validateFamilies(spec: Spec, ips: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  if (ips.length > 1 && new Set(ips.map(familyOf)).size < 2)
    errors.push(invalidValue(path, ips, 'may specify no more than one IP for each IP family'));
  if (isHeadless(spec)) return errors;
  for (const [index, family] of (spec.ipFamilies ?? []).slice(0, ips.length).entries())
    if ((family === 'IPv4' || family === 'IPv6') && familyOf(ips[index]) !== family)
      errors.push(
        invalidValue(
          `${path}[${index}]`,
          ips[index],
          `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
        ),
      );
  return errors;
}

/** Immutable addresses, unless a name replaces them. */
export function validateAddressUpdate(spec: Spec, before: Spec): FieldError[] {
  const isNamed = spec.type === 'ExternalName' || before.type === 'ExternalName';
  return isNamed ? [] : [...changeOfIps(spec, before), ...changeOfFamilies(spec, before)];
}

const fixed = 'may not change once set';

function changeOfIps(spec: Spec, before: Spec): FieldError[] {
  if (isHeadless(spec) && isHeadless(before)) return [];
  const [ips, was] = [spec.clusterIPs ?? [], before.clusterIPs ?? []];
  const shown = ips.length ? ips : null;
  if (ips.length === was.length)
    return was.flatMap((ip, index) => (ip === ips[index] ? [] : [invalidValue(`${path}[${index}]`, shown, fixed)]));
  const errors: FieldError[] = [];
  if (!ips.length) errors.push(invalidValue(`${path}[0]`, shown, 'primary clusterIP can not be unset'));
  else if (was.length && ips[0] !== was[0]) errors.push(invalidValue(`${path}[0]`, shown, fixed));
  return [...errors, ...released(spec, ips, was, 'clusterIP')];
}

function changeOfFamilies(spec: Spec, before: Spec): FieldError[] {
  if (isHeadless(spec) || isHeadless(before)) return [];
  const [now, was] = [spec.ipFamilies ?? [], before.ipFamilies ?? []];
  const at = `${familiesPath}[0]`;
  const shown = now.length ? now : null;
  if (now.length === was.length)
    return was.flatMap((family, index) => (family === now[index] ? [] : [invalidValue(at, shown, fixed)]));
  const errors: FieldError[] = [];
  if (now.length < was.length && !spec.clusterIPs?.length)
    errors.push(invalidValue(at, shown, 'primary ipFamily can not be unset'));
  if (now.length && was.length && now[0] !== was[0]) errors.push(invalidValue(at, spec.clusterIPs ?? null, fixed));
  return [...errors, ...released(spec, now, was, 'ipFamily')];
}

/** Only a service that requests it releases its second address. */
const released = (spec: Spec, now: readonly string[], was: readonly string[], valueName: string): FieldError[] =>
  was.length > now.length && now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack'
    ? [
        invalidValue(
          'spec.ipFamilyPolicy',
          spec.ipFamilyPolicy,
          `must be set to 'SingleStack' when releasing the secondary ${valueName}`,
        ),
      ]
    : [];
