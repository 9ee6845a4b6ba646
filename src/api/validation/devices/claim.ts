// Claims for devices, as they are and in templates.

import { dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, required } from '../../fields.ts';
import type {
  DeviceClaimConfiguration,
  DeviceConstraint,
  DeviceRequest,
  ResourceClaimSpec,
} from '../../generated/types.ts';
import { each, needed, oneOfThese, type Rule, struct, text } from '../rules.ts';
import { configuration, deviceToleration, fullyQualified, label, listOf, selectors, setOf } from './shared.ts';

const mostRequests = 32;
const mostAlternatives = 8;
const mostConstraints = 32;
export const mostConfigurations = 32;

/** Names of requests, and of their alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function requestNames(spec: ResourceClaimSpec | undefined): RequestNames {
  const requests = spec?.devices?.requests ?? [];
  return new Map(
    requests.map(({ name, firstAvailable }) => [
      name ?? '',
      new Set((firstAvailable ?? []).map((sub) => sub.name ?? '')),
    ]),
  );
}

export function validateDeviceClaim(spec: ResourceClaimSpec | undefined, path: string): FieldError[] {
  const reference = requestReference(requestNames(spec));
  const requests = setOf(mostRequests, reference);
  return [
    ...struct({
      requests: setOf(mostRequests, request, ({ name }: { name?: string }) => name ?? ''),
      constraints: listOf(mostConstraints, (constraint: DeviceConstraint, at) => [
        ...requests(constraint.requests, `${at}.requests`),
        ...validateAttribute(constraint, at),
      ]),
      config: listOf(mostConfigurations, (config: DeviceClaimConfiguration, at) => [
        ...requests(config.requests, `${at}.requests`),
        ...configuration(false)(config, at),
      ]),
    })(spec?.devices, `${path}.devices`),
  ];
}

function validateAttribute(constraint: DeviceConstraint, path: string): readonly FieldError[] {
  for (const field of ['matchAttribute', 'distinctAttribute'] as const)
    if (constraint[field] !== undefined) return fullyQualified(constraint[field], `${path}.${field}`);
  const why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
  return [required(path, why)];
}

/** A request of the claim, or one of its alternatives behind a slash. */
export const requestReference =
  (names: RequestNames): Rule =>
  (name: string | undefined, path) => {
    const segments = (name ?? '').split('/');
    const unknown = invalidValue(
      path,
      name ?? '',
      "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
    );
    if (segments.length > 2) return [unknown];
    const alternatives = names.get(segments[0]);
    const exists = alternatives && (segments.length === 1 || alternatives.has(segments[1]));
    return [...segments.flatMap((segment) => label(segment, path)), ...(exists ? [] : [unknown])];
  };

const allocation: Rule = (mode: string | undefined, path, { count = 0 }: { count?: number }) => {
  const at = path.replace(/allocationMode$/, 'count');
  if (mode === 'All')
    return count ? [invalidValue(at, count, "must not be specified when allocationMode is 'All'")] : [];
  if (mode === 'ExactCount') return count <= 0 ? [invalidValue(at, count, 'must be greater than zero')] : [];
  return oneOfThese('All', 'ExactCount')(mode, path);
};

const asked = {
  deviceClassName: needed(text(dns1123SubdomainFaults)),
  selectors,
  allocationMode: allocation,
  tolerations: each(deviceToleration),
};
const exactly = struct(asked);
const firstAvailable = setOf(
  mostAlternatives,
  struct({ name: label, ...asked }),
  ({ name }: { name?: string }) => name ?? '',
);

const request: Rule = (value: DeviceRequest, path) => {
  const errors = [...label(value.name, `${path}.name`)];
  const hasAlternatives = (value.firstAvailable?.length ?? 0) > 0;
  const why = 'exactly one of `exactly` or `firstAvailable` is required';
  if (value.exactly && hasAlternatives)
    return [...errors, invalidValue(path, null, `${why}, but multiple fields are set`)];
  if (value.exactly) return [...errors, ...exactly(value.exactly, `${path}.exactly`)];
  if (hasAlternatives) return [...errors, ...firstAvailable(value.firstAvailable, `${path}.firstAvailable`)];
  return [...errors, required(path, why)];
};
