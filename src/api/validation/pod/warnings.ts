// What is accepted and still worth a word: warning headers for pods and templates.

import { parseQuantity } from '../../../machinery/quantity.ts';
import type { PodSpec, Volume } from '../../generated/types.ts';
import type { ResourceList } from '../../pod.ts';

export function podWarnings(spec: PodSpec | undefined, path = 'spec'): string[] {
  if (!spec) return [];
  const warnings: string[] = [];
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries())
    if (!secret.name) warnings.push(`${path}.imagePullSecrets[${index}].name: invalid empty name ""`);
  for (const [index, volume] of (spec.volumes ?? []).entries())
    if (volume.gitRepo) warnings.push(`${path}.volumes[${index}].gitRepo: deprecated in v1.11`);
  for (const volume of spec.volumes ?? []) if (volume.projected) warnings.push(...overlaps(volume));
  for (const field of ['initContainers', 'containers'] as const)
    for (const [index, container] of (spec[field] ?? []).entries()) {
      const at = `${path}.${field}[${index}]`;
      warnings.push(...portWarnings(container.ports ?? [], at));
      warnings.push(...envWarnings(container.env ?? [], at));
      const resources = (container.resources ?? {}) as { limits?: ResourceList; requests?: ResourceList };
      for (const [list, name] of [
        [resources.requests, 'requests'],
        [resources.limits, 'limits'],
      ] as const)
        warnings.push(...fractionWarnings(list ?? {}, `${at}.resources.${name}`));
    }
  if (spec.terminationGracePeriodSeconds !== undefined && spec.terminationGracePeriodSeconds < 0)
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  return warnings;
}

/** Files of a projected volume that hide each other. */
function overlaps(volume: Volume): string[] {
  const files: { path: string; from: string }[] = [];
  const warnings: string[] = [];
  const add = (path: string, from: string) => {
    for (const other of files)
      if (other.path === path || other.path.startsWith(`${path}/`) || path.startsWith(`${other.path}/`))
        warnings.push(
          `volume ${JSON.stringify(volume.name)} (Projected): overlapping paths: ${JSON.stringify(path)} (${from}) with ${JSON.stringify(other.path)} (${other.from})`,
        );
    files.push({ path, from });
  };
  for (const { secret, configMap, downwardAPI, serviceAccountToken } of volume.projected?.sources ?? []) {
    for (const item of secret?.items ?? []) add(item.path, `Secret ${JSON.stringify(secret?.name)}`);
    for (const item of configMap?.items ?? []) add(item.path, `ConfigMap ${JSON.stringify(configMap?.name)}`);
    for (const item of downwardAPI?.items ?? []) add(item.path, 'DownwardAPI');
    if (serviceAccountToken) add(serviceAccountToken.path, 'ServiceAccountToken');
  }
  return warnings;
}

function portWarnings(
  ports: readonly { containerPort: number; protocol?: string; hostIP?: string; hostPort?: number }[],
  path: string,
): string[] {
  const seen = new Map<string, number>();
  return ports.flatMap((port, index) => {
    const key = JSON.stringify([port.containerPort, port.protocol, port.hostIP, port.hostPort]);
    const first = seen.get(key);
    if (first !== undefined) return [`${path}.ports[${index}]: duplicate port definition with ${path}.ports[${first}]`];
    seen.set(key, index);
    return [];
  });
}

function envWarnings(env: readonly { name: string }[], path: string): string[] {
  const last = new Map<string, number>();
  return env.flatMap(({ name }, index) => {
    const before = last.get(name);
    last.set(name, index);
    return before === undefined
      ? []
      : [`${path}.env[${index}]: hides previous definition of "${name}", which may be dropped when using apply`];
  });
}

function fractionWarnings(list: ResourceList, path: string): string[] {
  return ['memory', 'ephemeral-storage']
    .filter((name) => list[name] !== undefined && parseQuantity(list[name]).nanos % 1_000_000_000n !== 0n)
    .map(
      (name) => `${path}[${name}]: fractional byte value ${JSON.stringify(list[name])} is invalid, must be an integer`,
    );
}
