// Fields of a checkpoint: a value of another type is an error.

import { type Fields, isFields } from '../../machinery/parsed.ts';

export const corrupted = (field: string): never => {
  throw new Error(`checkpoint is corrupted: ${field}`);
};

export const objectIn = (value: unknown): Fields => (isFields(value) ? value : corrupted('not an object'));

export const textIn = (fields: Fields, name: string): string => {
  const value = fields[name];
  return typeof value === 'string' ? value : corrupted(name);
};
