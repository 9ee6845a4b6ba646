// The declaration of one option, and makers of common forms.

import path from 'node:path';
import { SettingError } from './setting-values.ts';

export interface Setting<T> {
  /** Name on the command line, without dashes. */
  readonly flag: string;
  /** Placeholder of the value in --help. */
  readonly argument: string;
  readonly help: string;
  /** Value when the option is absent; undefined: `completeConfig`, or the part that uses it, chooses one. */
  readonly default: T;
  /** The only values that are allowed. */
  readonly choices?: readonly T[];
  /** Whether the value is the path of a file that the cluster reads. */
  readonly isFile?: boolean;
  /** Throws SettingError. Returns absolute paths. */
  read(text: string): T;
  /** The text of a value that is neither plain nor a list of texts. */
  format?(value: T): string;
}

export const setting = <T>(declaration: Setting<T>): Setting<T> => declaration;

export function choice<const T extends string>(
  declaration: Omit<Setting<T>, 'read' | 'choices'> & { readonly choices: readonly T[] },
): Setting<T> {
  const read = (value: string) => {
    const found = declaration.choices.find((allowed) => allowed === value);
    if (found === undefined) throw new SettingError(`Allowed choices are ${declaration.choices.join(', ')}.`);
    return found;
  };
  return { ...declaration, read };
}

export const file = (
  declaration: Pick<Setting<unknown>, 'flag' | 'argument' | 'help'>,
): Setting<string | undefined> => ({
  ...declaration,
  isFile: true,
  default: undefined,
  read: (value) => path.resolve(value),
});
