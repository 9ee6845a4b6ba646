// A flag of kube-apiserver: how its value is read, and which values are honoured. Each is declared once, in flags.ts.

import { parseDuration } from '../../machinery/time/duration.ts';
import { SettingError } from '../settings/settings.ts';

export interface Flag<T> {
  /** Placeholder of the value in --help. */
  readonly type: string;
  readonly help: string;
  /** Value when the flag is absent. */
  readonly default: T;
  /** The value is optional, and true by default. */
  readonly isSwitch?: boolean;
  /** Values of all occurrences, in their order. Throws SettingError. */
  read(texts: readonly string[]): T;
  /** Why a value cannot be honoured, with the remedy; undefined for values that can. */
  refuses?(value: T): string | undefined;
  /** Accepted with a warning: it tunes a mechanism that Coracle does not have. */
  readonly isIgnored?: boolean;
}

export type ValuesOf<Flags extends Readonly<Record<string, Flag<unknown>>>> = {
  readonly [Name in keyof Flags]: Flags[Name] extends Flag<infer T> ? T : never;
};

/** The last occurrence counts. */
const last =
  <T>(read: (text: string) => T) =>
  (texts: readonly string[]): T =>
    read(texts.at(-1) ?? '');

export const text = (help: string, usual = ''): Flag<string> => ({
  type: 'string',
  help,
  default: usual,
  read: last((value) => value),
});

/** Each occurrence is one value. */
export const texts = (help: string): Flag<readonly string[]> => ({
  type: 'stringArray',
  help,
  default: [],
  read: (values) => values.filter((value) => value !== ''),
});

/** Values separated by commas; occurrences add up. */
export const list = (help: string, usual: readonly string[] = []): Flag<readonly string[]> => ({
  type: 'strings',
  help,
  default: usual,
  read: (values) =>
    values
      .flatMap((value) => value.split(','))
      .map((value) => value.trim())
      .filter((value) => value !== ''),
});

/** key=value, separated by commas; occurrences add up. */
export const pairs = (help: string): Flag<ReadonlyMap<string, string>> => ({
  type: 'mapStringString',
  help,
  default: new Map(),
  read: (values) =>
    new Map(
      list('')
        .read(values)
        .map((pair) => {
          const mark = pair.indexOf('=');
          // As kube-apiserver reads --runtime-config: a key alone is true.
          return mark < 0 ? [pair, 'true'] : [pair.slice(0, mark), pair.slice(mark + 1)];
        }),
    ),
});

export const bool = (help: string, usual = false): Flag<boolean> => ({
  type: '',
  help,
  default: usual,
  isSwitch: true,
  read: last((value) => {
    // The words that Go's strconv.ParseBool takes.
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
    throw new SettingError('give true or false');
  }),
});

export const integer = (help: string, usual: number, least = 0, most = Number.MAX_SAFE_INTEGER): Flag<number> => ({
  type: 'int',
  help,
  default: usual,
  read: last((value) => {
    const number = Number(value);
    if (/^[-+]?\d+$/.test(value) && number >= least && number <= most) return number;
    throw new SettingError(
      most === Number.MAX_SAFE_INTEGER
        ? `give a whole number from ${least}`
        : `give a whole number from ${least} to ${most}`,
    );
  }),
});

/** Milliseconds. `usual` is written as Go writes durations. */
export const duration = (help: string, usual: string): Flag<number> => ({
  type: 'duration',
  help: usual === '0s' ? help : `${help} (default ${usual})`,
  default: parseDuration(usual) ?? 0,
  read: last((value) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= 0) return ms;
    throw new SettingError('give a duration, such as 90s or 1h30m');
  }),
});

/** Accepted, with a warning that it has no effect here. */
export const ignored = <T>(flag: Flag<T>): Flag<T> => ({ ...flag, isIgnored: true });

/** Only the named values can be honoured. */
export const only = <T>(flag: Flag<T>, allowed: readonly T[], remedy: string): Flag<T> => ({
  ...flag,
  refuses: (value) => (allowed.some((each) => JSON.stringify(each) === JSON.stringify(value)) ? undefined : remedy),
});

/** A flag of Kubernetes that cannot be honoured, with any value. */
export const refused = <T>(flag: Flag<T>, remedy: string): Flag<T> => ({ ...flag, refuses: () => remedy });
