// Projected volumes: files of several sources in one directory.
// https://kubernetes.io/docs/concepts/storage/projected-volumes/

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required } from '../../fields.ts';
import type {
  ConfigMapProjection,
  DownwardAPIProjection,
  ProjectedVolumeSource,
  SecretProjection,
  ServiceAccountTokenProjection,
} from '../../generated/types.ts';
import { need, type Rule } from '../rules.ts';
import { localPath } from '../volume-sources.ts';
import { downwardFile, keyToPath, optionalMode } from './volume-files.ts';

const minSeconds = 600;
const maxSeconds = 2 ** 32;
const conflict = 'conflicting duplicate paths';

/** The paths of files that were met, and the faults of those that were met before. */
class Paths {
  readonly #seen = new Set<string>();
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(file: string | undefined, shown = file): FieldError[] {
    if (!file) return [];
    if (this.#seen.has(file)) return [invalidValue(this.#path, shown ?? '', conflict)];
    this.#seen.add(file);
    return [];
  }
}

export const validateProjected: Rule = (projected: ProjectedVolumeSource, path) => {
  const errors: FieldError[] = [...optionalMode(projected.defaultMode, `${path}.defaultMode`)];
  const paths = new Paths(path);
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = `${path}.sources[${index}]`;
    let found = 0;
    for (const [kind, check] of Object.entries(projections)) {
      const value = source[kind as keyof typeof source];
      if (value === undefined) continue;
      found++;
      errors.push(...check(value, `${at}.${kind}`, paths, path));
    }
    if (found > 1) errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  }
  return errors;
};

type Projection = {
  faults(value: unknown, path: string, paths: Paths, volume: string): readonly FieldError[];
}['faults'];

const keyed: Projection = (value: SecretProjection | ConfigMapProjection, path, paths) => [
  ...need()(value.name, `${path}.name`),
  ...(value.items ?? []).flatMap((item, index) => [
    ...keyToPath(item, `${path}.items[${index}]`),
    ...paths.add(item.path, value.name ?? ''),
  ]),
];

const downward: Projection = (value: DownwardAPIProjection, path, paths) =>
  (value.items ?? []).flatMap((item) => [...downwardFile(item, path), ...paths.add(item.path)]);

/** Kubernetes names the file of a token without its source. */
const token: Projection = (
  { expirationSeconds = 3600, path: file }: ServiceAccountTokenProjection,
  path,
  _,
  volume,
) => {
  const errors: FieldError[] = [];
  const at = `${path}.expirationSeconds`;
  if (expirationSeconds < minSeconds)
    errors.push(invalidValue(at, expirationSeconds, 'may not specify a duration less than 10 minutes'));
  if (expirationSeconds > maxSeconds)
    errors.push(invalidValue(at, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  if (!file) errors.push(required(`${volume}.path`));
  else errors.push(...localPath(file, `${volume}.path`));
  return errors;
};

const projections: Readonly<Record<string, Projection>> = {
  secret: keyed,
  configMap: keyed,
  downwardAPI: downward,
  serviceAccountToken: token,
};
