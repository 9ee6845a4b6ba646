// Columns of custom resources: the name, and the values at the definition's JSON paths.

import { must } from '../../machinery/must.ts';
import type { CustomResourceDefinitionVersion } from '../generated/types.ts';
import type { ApiObject, Column, Kind } from '../kind.ts';
import { age } from '../objects/age.ts';
import { builtinKinds } from '../registry.ts';
import { parseTime } from '../time.ts';
import { readJsonPath, Visits } from './json-path.ts';

type Own = NonNullable<CustomResourceDefinitionVersion['additionalPrinterColumns']>[number];

/** Name comes first; a definition without columns shows the age. The first invalid path ends the columns. */
export function columnsOf(version: CustomResourceDefinitionVersion): Pick<Kind, 'columns' | 'cells'> {
  const common = must(
    builtinKinds().find(({ resource }) => resource === 'configmaps'),
    'configmaps',
  ).columns;
  const described = (name: string) => common.find((column) => column.name === name)?.description ?? '';
  const given: readonly Own[] = version.additionalPrinterColumns?.length
    ? version.additionalPrinterColumns
    : [{ name: 'Age', type: 'date', description: described('Age'), jsonPath: '.metadata.creationTimestamp' }];
  const readers = given.map(({ jsonPath }) => readJsonPath(jsonPath));
  const good = readers.indexOf(undefined);
  const own = good < 0 ? given : given.slice(0, good);
  const columns: Column[] = [
    { name: 'Name', type: 'string', format: 'name', description: described('Name'), priority: 0 },
    ...own.map(({ name, type, format, description, priority, jsonPath }) => ({
      name,
      type,
      format: format ?? '',
      description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority: priority ?? 0,
    })),
  ];
  return {
    columns,
    cells: (object: ApiObject, now: number) => {
      const visits = new Visits();
      const values = own.map(({ type }, index) => cellOf(type, readers[index]?.(object, visits)[0], now));
      return [object.metadata.name, ...values];
    },
  };
}

function cellOf(type: string, value: unknown, now: number): unknown {
  if (value === undefined || value === null) return null;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : isNumber ? value : null;
    case 'number':
      return isNumber ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return value === '' || parseTime(value) !== undefined ? age(value, now) : '<invalid>';
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
