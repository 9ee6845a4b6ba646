// Rules shared by kinds of storage classes: a driver's name, and its parameters.

import { byteLength, qualifiedNameFaults } from '../../machinery/text/names.ts';
import { invalidValue, invalidValues, required, tooLong } from '../fields.ts';
import { needed, type Rule } from './rules.ts';

const mostParameters = 512;
const mostBytes = 256 * 1024;

export const provisioner: Rule = needed((name: string, path) =>
  invalidValues(path, name.toLowerCase(), qualifiedNameFaults(name.toLowerCase())),
);

export const parameters: Rule = (value: Record<string, string> | undefined, path) => {
  const entries = Object.entries(value ?? {});
  if (entries.length > mostParameters) return [tooLong(path, mostParameters)];
  const size = entries.reduce((sum, [key, text]) => sum + byteLength(key) + byteLength(text), 0);
  return [
    ...entries.filter(([key]) => !key).map(([key]) => invalidValue(path, key, 'field can not be empty.')),
    ...(size > mostBytes ? [tooLong(path, mostBytes)] : []),
  ];
};

export const someParameters: Rule = (value, path) => [
  ...parameters(value, path),
  ...(Object.keys(value ?? {}).length ? [] : [required(path, 'must contain at least one key/value pair')]),
];
