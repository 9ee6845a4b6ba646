// Reads a command line as kube-apiserver does: --name=value, --name value, --name of a switch, -v.

import { SettingError } from '../settings/settings.ts';
import type { Flag, ValuesOf } from './flag.ts';

type Flags = Readonly<Record<string, Flag<unknown>>>;

interface ParsedFlags<F extends Flags> {
  readonly values: ValuesOf<F>;
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  /** A sentence for each fault. */
  readonly faults: readonly string[];
  /** Flags that were accepted and have no effect. */
  readonly ignored: readonly string[];
}

const shorthands: Readonly<Record<string, string>> = { v: 'v', h: 'help' };

export function parseFlags<F extends Flags>(flags: F, words: readonly string[]): ParsedFlags<F> {
  const { texts, faults } = sorted(flags, words);
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, flag.default]),
  );
  for (const [name, given] of texts) {
    const flag = flags[name];
    try {
      values[name] = flag.read(given);
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      faults.push(`invalid argument ${JSON.stringify(given.at(-1))} for --${name}: ${error.message}`);
      continue;
    }
    const why = flag.refuses?.(values[name]);
    if (why !== undefined) faults.push(`--${name}=${given.join(',')} cannot be honoured: ${why}`);
  }
  const given = new Set(texts.keys());
  return { values: values as ValuesOf<F>, given, faults, ignored: [...given].filter((name) => flags[name].isIgnored) };
}

/** The values of each flag, in the order of the command line. */
function sorted(flags: Flags, words: readonly string[]): { texts: Map<string, string[]>; faults: string[] } {
  const texts = new Map<string, string[]>();
  const faults: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const found = named(word);
    if (!found) {
      faults.push(`unknown command ${JSON.stringify(word)} for "kube-apiserver": it takes flags only`);
      continue;
    }
    const { name } = found;
    let { value } = found;
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!flag) {
      faults.push(`unknown flag: --${name}`);
      // Its value is no command.
      if (value === undefined && words[index + 1] !== undefined && !words[index + 1].startsWith('-')) index++;
      continue;
    }
    if (value === undefined && flag.isSwitch) value = 'true';
    value ??= words[++index];
    if (value === undefined) faults.push(`flag needs an argument: --${name}`);
    else texts.set(name, [...(texts.get(name) ?? []), value]);
  }
  return { texts, faults };
}

/** The name in a word, and its value if it has one. */
function named(word: string): { name: string; value?: string } | undefined {
  const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word);
  if (long) {
    const name = long[1].replaceAll('_', '-');
    return { name, ...(long[2] !== undefined && { value: long[2] }) };
  }
  const short = /^-([a-z])=?([\s\S]*)$/.exec(word);
  const name = short && shorthands[short[1]];
  return name ? { name, ...(short[2] !== '' && { value: short[2] }) } : undefined;
}

/** The flags as --help shows them. Those that are always refused are left out. */
export function flagHelp(sections: Readonly<Record<string, Flags>>): string {
  return Object.entries(sections)
    .map(([title, flags]) => {
      const rows = Object.entries(flags)
        .filter(([, flag]) => !flag.refuses || flag.refuses(flag.default) === undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, flag]) => {
          const usual = defaultText(flag);
          const head = `${name === 'v' ? '  -v, ' : '      '}--${name}${flag.type && ` ${flag.type}`}`;
          return `${head}\n                ${flag.help}${usual}${flag.isIgnored ? ' [no effect here]' : ''}`;
        });
      return `${title} flags:\n\n${rows.join('\n')}\n`;
    })
    .join('\n');
}

function defaultText({ type, default: usual }: Flag<unknown>): string {
  if (type === 'duration' || usual === false || usual === '' || usual === 0) return '';
  if (Array.isArray(usual)) return usual.length > 0 ? ` (default [${usual.join(',')}])` : '';
  return usual instanceof Map ? '' : ` (default ${String(usual)})`;
}
