// emptyDir volumes of huge pages. https://kubernetes.io/docs/tasks/manage-hugepages/scheduling-hugepages/

import type { Pod } from '../../api/api.ts';
import { bytes } from '../resources/resources.ts';
import { VolumeError } from './volume.ts';

const prefix = 'hugepages-';
const medium = 'HugePages';

export const isHugePages = (of: string | undefined): of is string => of?.startsWith(medium) ?? false;

/** The page size in bytes: that of the medium, or of the pod's requests. Throws VolumeError without a request for it. */
export function pageSizeOf(of: string, pod: Pod): number {
  const { containers, initContainers = [], resources } = pod.spec;
  const lists = [resources, ...[...containers, ...initContainers].map((container) => container.resources)];
  const requested = new Set(
    lists
      .flatMap((list) => Object.keys(list?.requests ?? {}))
      .filter((name) => name.startsWith(prefix))
      .map((name) => bytes(name.slice(prefix.length))),
  );
  if (of === medium && requested.size > 1)
    throw new VolumeError(`medium: ${of} can't be used if container requests multiple huge page sizes`);
  const [only] = requested;
  const size = of === medium ? only : bytes(of.slice(medium.length + 1));
  if (size === undefined || !requested.has(size))
    throw new VolumeError(`medium ${of}: hugePages storage requested, but there is no resource request for huge pages`);
  return size;
}
