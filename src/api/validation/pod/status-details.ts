// The parts of container statuses that the kubelet reports about users and devices.

import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, required, tooLong } from '../../fields.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../generated/types.ts';
import { each, oneOfThese, type Rule, range, set, struct } from '../rules.ts';

type Status = NonNullable<Pod['status']>;

const lists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;

export function validateStatusDetails(status: Status, spec: PodSpec): FieldError[] {
  const os = spec.os?.name ?? 'linux';
  return [
    ...lists.flatMap((field) => users(status[field], `status.${field}`, os)),
    ...validateDevices(status.containerStatuses, 'status.containerStatuses', spec.containers),
    ...validateDevices(status.initContainerStatuses, 'status.initContainerStatuses', spec.initContainers),
    ...(status.ephemeralContainerStatuses ?? []).flatMap(({ allocatedResourcesStatus }, index) =>
      allocatedResourcesStatus?.length
        ? [
            forbiddenField(
              `status.ephemeralContainerStatuses[${index}].allocatedResourcesStatus`,
              'must not be specified in container status',
            ),
          ]
        : [],
    ),
  ];
}

const id: Rule = range(0, 2 ** 31 - 1);
const linuxUser = struct({ uid: id, gid: id, supplementalGroups: each(id) });

const users = (statuses: readonly ContainerStatus[] = [], path: string, os: string): FieldError[] =>
  statuses.flatMap(({ user }, index) => {
    const at = `${path}[${index}].user.linux`;
    if (!user?.linux) return [];
    if (os === 'windows') return [forbiddenField(at, 'cannot be set for a windows pod')];
    return os === 'linux' ? [...linuxUser(user.linux, at)] : [];
  });

const notClaimed =
  "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";

/** The health of the devices that a container has. */
function validateDevices(
  statuses: readonly ContainerStatus[] = [],
  path: string,
  containers: readonly Container[] = [],
): FieldError[] {
  return statuses.flatMap(({ name: owner, allocatedResourcesStatus = [] }, index) =>
    allocatedResourcesStatus.flatMap(({ name = '', resources = [] }, i) => {
      const at = `${path}[${index}].allocatedResourcesStatus[${i}]`;
      const container = containers.find((candidate) => candidate.name === owner);
      const isClaim = name.startsWith('claim:');
      const isRequested = !container || (isClaim ? claimsOf(container) : requestsOf(container)).includes(name);
      return [
        ...(isRequested
          ? []
          : [
              invalidValue(
                `${at}.name`,
                name,
                isClaim ? notClaimed : "must match one of the container's resource requests",
              ),
            ]),
        ...validateHealth(resources, `${at}.resources`),
      ];
    }),
  );
}

const claimsOf = ({ resources }: Container): string[] =>
  (resources?.claims ?? []).map(({ name, request }) => `claim:${name}${request ? `/${request}` : ''}`);
const requestsOf = ({ resources }: Container): string[] => Object.keys(resources?.requests ?? {});

const longestMessage = 1024;
const health = struct({
  health: oneOfThese('Healthy', 'Unhealthy', 'Unknown'),
  message: set((message: string, path) =>
    message === ''
      ? [required(path, 'must be non-empty if specified')]
      : message.length > longestMessage
        ? [tooLong(path, longestMessage)]
        : [],
  ),
});

function validateHealth(resources: readonly { readonly resourceID?: string }[], path: string): FieldError[] {
  const seen = new Set<string>();
  return resources.flatMap((resource, index) => {
    const { resourceID = '' } = resource;
    const errors = [...health(resource, `${path}[${index}]`)];
    if (seen.has(resourceID)) errors.push(duplicate(`${path}[${index}].resourceID`, resourceID));
    seen.add(resourceID);
    return errors;
  });
}
