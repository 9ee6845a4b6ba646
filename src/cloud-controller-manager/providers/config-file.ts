// Reads the configuration file of a cloud provider: fields by their names, and the files that they name.

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseYaml } from '../../api/api.ts';
import { type Fields, fieldsIn, isFields } from '../../machinery/parsed.ts';
import { parseDuration } from '../../machinery/time/duration.ts';
import { messageOf } from '../provider.ts';

const mostBytes = 1024 * 1024;

/** The fields of a file; each is taken once, and `end` refuses the rest by name. */
interface ConfigFile {
  /** Undefined when it is absent. */
  text(field: string): string | undefined;
  required(field: string): string;
  texts(field: string): readonly string[] | undefined;
  flag(field: string): boolean | undefined;
  whole(field: string, least: number, most: number): number | undefined;
  /** In milliseconds. */
  duration(field: string, leastMs: number, mostMs: number): number | undefined;
  /** The absolute path of a file, relative to this one. */
  file(field: string): string | undefined;
  end(): void;
  /** An error with the place. */
  wrong(field: string, fault: string): Error;
}

export const readText = async (file: string): Promise<string> => {
  const { size } = await stat(file);
  if (size > mostBytes) throw new Error(`${file} is larger than 1 MiB`);
  return readFile(file, 'utf8');
};

/** Rejects with the place and the fault. */
export async function readConfigFile(file: string, apiVersion: string, kind: string): Promise<ConfigFile> {
  const value = await readText(file)
    .then((text) => parseYaml(text).value)
    .catch((error) => {
      throw new Error(`--cloud-config: ${file}: ${messageOf(error)}`);
    });
  const wrong = (field: string, fault: string) => new Error(`--cloud-config: ${file}: ${field}: ${fault}`);
  if (!isFields(value) || value['apiVersion'] !== apiVersion || value['kind'] !== kind)
    throw wrong('apiVersion, kind', `must be ${apiVersion}, ${kind}`);
  const { apiVersion: _version, kind: _kind, ...fields } = fieldsIn(value);
  return new Reader(file, fields, wrong);
}

class Reader implements ConfigFile {
  readonly #file: string;
  readonly #rest: Fields;
  readonly wrong: ConfigFile['wrong'];

  constructor(file: string, fields: Fields, wrong: ConfigFile['wrong']) {
    this.#file = file;
    this.#rest = fields;
    this.wrong = wrong;
  }

  #take<T>(field: string, form: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#rest[field];
    delete this.#rest[field];
    if (value === undefined || value === null) return undefined;
    if (!is(value)) throw this.wrong(field, `must be ${form}`);
    return value;
  }

  text = (field: string) => this.#take(field, 'a text', isText);

  required(field: string): string {
    const value = this.text(field);
    if (value === undefined) throw this.wrong(field, 'is missing');
    return value;
  }

  texts = (field: string) => this.#take(field, 'a list of texts', areTexts);

  flag = (field: string) => this.#take(field, 'true or false', (value): value is boolean => typeof value === 'boolean');

  whole = (field: string, least: number, most: number) =>
    this.#take(
      field,
      `a whole number from ${least} to ${most}`,
      (value): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
    );

  duration(field: string, leastMs: number, mostMs: number): number | undefined {
    const text = this.text(field);
    if (text === undefined) return undefined;
    const ms = parseDuration(text);
    if (ms === undefined || ms < leastMs || ms > mostMs)
      throw this.wrong(field, `must be a duration from ${leastMs / 1000}s to ${mostMs / 1000}s`);
    return ms;
  }

  file(field: string): string | undefined {
    const text = this.text(field);
    return text === undefined ? undefined : path.resolve(path.dirname(this.#file), text);
  }

  end(): void {
    const [unknown] = Object.keys(this.#rest);
    if (unknown !== undefined) throw this.wrong(unknown, 'is no field of this file');
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
