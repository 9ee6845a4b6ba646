// Values for /scale must be integers in the range of a Scale.

import { isFields } from '../../machinery/parsed.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue } from '../fields.ts';
import type { Kind } from '../kind.ts';

type ScalePaths = NonNullable<Kind['scalePaths']>;

const most = 2 ** 31 - 1;

/** The value at a simple path such as .spec.replicas, undefined where there is none; or why none can be there. */
function valueAt(object: unknown, path: string, goType: 'int64' | 'string'): { value?: unknown; fault?: string } {
  const names = path.replace(/^\./, '').split('.');
  let at = object;
  for (const [index, name] of names.entries()) {
    if (!isFields(at)) {
      if (at === undefined || at === null) return {};
      const till = `.${names.slice(0, index + 1).join('.')}`;
      return {
        fault: `${till} accessor error: ${shown(at)} is of the type ${goTypeOf(at)}, expected map[string]interface{}`,
      };
    }
    if (!Object.hasOwn(at, name)) return {};
    at = at[name];
  }
  if (goTypeOf(at) === goType) return { value: at };
  return {
    fault: `.${names.join('.')} accessor error: ${shown(at)} is of the type ${goTypeOf(at)}, expected ${goType}`,
  };
}

const shown = (value: unknown) =>
  value === null ? '<nil>' : typeof value === 'object' ? JSON.stringify(value) : String(value);

function goTypeOf(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}

export const validateScaleSpec = (paths: ScalePaths | undefined, object: unknown): FieldError[] =>
  paths ? validateReplicas(paths.specReplicasPath, object) : [];

export function validateScaleStatus(paths: ScalePaths | undefined, object: unknown): FieldError[] {
  if (!paths) return [];
  const errors = validateReplicas(paths.statusReplicasPath, object);
  const { labelSelectorPath } = paths;
  const selector = labelSelectorPath ? valueAt(object, labelSelectorPath, 'string') : {};
  if (selector.fault) errors.push(invalidValue(labelSelectorPath ?? '', '', selector.fault));
  return errors;
}

function validateReplicas(path: string, object: unknown): FieldError[] {
  const { value: found, fault } = valueAt(object, path, 'int64');
  const value = (found ?? 0) as number | bigint;
  if (fault) return [invalidValue(path, 0, fault)];
  if (value < 0) return [invalidValue(path, Number(value), 'should be a non-negative integer')];
  if (value > most) return [invalidValue(path, Number(value), `should be less than or equal to ${most}`)];
  return [];
}
