// Files of a volume that hide each other.

import type { Volume, VolumeProjection } from '../../generated/types.ts';

interface File {
  readonly path: string;
  /** Where the file is from; empty when the volume has one source. */
  readonly from: string;
}

export const volumePathWarnings = (volumes: readonly Volume[]): string[] => volumes.flatMap(warningsOf);

function warningsOf(volume: Volume): string[] {
  const { name, configMap, secret, downwardAPI, projected } = volume;
  const quoted = JSON.stringify(name);
  const one = (sourceName: string, items: readonly { path: string }[] | undefined) =>
    overlaps((items ?? []).map(({ path }) => ({ path, from: '' }))).map(
      (overlap) => `volume ${quoted} (${sourceName}): overlapping paths: ${overlap}`,
    );
  if (configMap) return one(`ConfigMap ${JSON.stringify(configMap.name ?? '')}`, configMap.items);
  if (secret) return one(`Secret ${JSON.stringify(secret.secretName ?? '')}`, secret.items);
  if (downwardAPI) return one('DownwardAPI', downwardAPI.items);
  const sources = projected?.sources ?? [];
  return [
    ...sources
      .filter((source) => !Object.keys(source).length)
      .map(() => `volume ${quoted} (Projected) has no sources provided`),
    ...overlaps(sources.flatMap(filesOf)).map(
      (overlap) => `volume ${quoted} (Projected): overlapping paths: ${overlap}`,
    ),
  ];
}

function filesOf({ configMap, secret, downwardAPI, serviceAccountToken }: VolumeProjection): File[] {
  const files = (items: readonly { path: string }[], from: string) => items.map(({ path }) => ({ path, from }));
  if (configMap?.items) return files(configMap.items, `ConfigMap ${JSON.stringify(configMap.name ?? '')}`);
  if (secret?.items) return files(secret.items, `Secret ${JSON.stringify(secret.name ?? '')}`);
  if (downwardAPI?.items) return files(downwardAPI.items, 'DownwardAPI');
  return serviceAccountToken ? files([serviceAccountToken], 'ServiceAccountToken') : [];
}

const show = ({ path, from }: File): string => (from ? `${JSON.stringify(path)} (${from})` : JSON.stringify(path));

/** More files than this are not compared with each other. */
const maxCompared = 1000;

function overlaps(all: readonly File[]): string[] {
  const files = all.slice(0, maxCompared).map(({ path, from }) => ({ path: (path ?? '').replace(/\/+$/, ''), from }));
  if (!mayOverlap(files)) return [];
  const found: string[] = [];
  for (const [index, file] of files.entries())
    for (const other of files.slice(0, index))
      if (file.path && other.path && (isWithin(file, other) || isWithin(other, file)))
        found.push(`${show(file)} with ${show(other)}`);
  return found;
}

const isWithin = (file: File, other: File): boolean => `${file.path}/`.startsWith(`${other.path}/`);

/** Sorted by text, a path precedes the paths below it. */
function mayOverlap(files: readonly File[]): boolean {
  const paths = files
    .filter(({ path }) => path)
    .map(({ path }) => `${path}/`)
    .sort();
  return paths.some((path, index) => index > 0 && path.startsWith(paths[index - 1]));
}
