// Files that volumes are made of: modes, keys and paths.

import type { FieldError } from '../../errors.ts';
import { invalidValue, required } from '../../fields.ts';
import type { DownwardAPIVolumeFile } from '../../generated/types.ts';
import { need, type Rule, range, set, struct } from '../rules.ts';
import { localPath } from '../volume-sources.ts';
import { validateFieldRef, validateResourceField, volumeFields } from './env.ts';

const fileMode = range(0, 0o777, 'must be a number between 0 and 0777 (octal), both inclusive');
export const optionalMode: Rule = set(fileMode);

/** A key and the file that it becomes. */
export const keyToPath: Rule = struct({ key: need(), path: [need(), localPath], mode: optionalMode });

export const downwardFile: Rule = (file: DownwardAPIVolumeFile, path) => {
  const errors: FieldError[] = [...need()(file.path, `${path}.path`), ...localPath(file.path, `${path}.path`)];
  if (file.fieldRef) {
    errors.push(...validateFieldRef(file.fieldRef, `${path}.fieldRef`, volumeFields));
    if (file.resourceFieldRef)
      errors.push(invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (file.resourceFieldRef)
    errors.push(...validateResourceField(file.resourceFieldRef, `${path}.resourceFieldRef`, true));
  else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  return [...errors, ...optionalMode(file.mode, `${path}.mode`)];
};
