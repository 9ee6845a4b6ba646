// Semantic versions, in the words of the package that Kubernetes reads them with. https://semver.org

import { goQuote } from '../format.ts';
import { mostUint } from '../numbers.ts';

export interface Version {
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint];
  readonly prerelease: readonly (bigint | string)[];
  readonly build: readonly string[];
}

class NotAVersion {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const refuse = (message: string): never => {
  throw new NotAVersion(message);
};

const digits = /^[0-9]*$/;
const letters = /^[0-9A-Za-z-]*$/;

/** The version, or the reason why the text is invalid. `normalize` accepts v1.2 and leading zeros too. */
export function parseVersion(text: string, normalize: boolean): Version | string {
  try {
    return read(normalize ? normalized(text) : text);
  } catch (error) {
    if (error instanceof NotAVersion) return error.message;
    throw error;
  }
}

/** At most three parts, the last with all that follows. */
function parts(text: string): string[] {
  const all = text.split('.');
  return all.length <= 3 ? all : [all[0] as string, all[1] as string, all.slice(2).join('.')];
}

function normalized(text: string): string {
  const all = parts(text.replace(/^v/, '')).map((part) => {
    if (part.length < 2) return part;
    const stripped = part.replace(/^0+/, '');
    return /^[0-9]/.test(stripped) ? stripped : `0${stripped}`;
  });
  if (all.length < 3 && /[+-]/.test(all.at(-1) as string))
    refuse('short version cannot contain PreRelease/Build meta data');
  while (all.length < 3) all.push('0');
  return all.join('.');
}

function readNumber(text: string, name: string): bigint {
  if (!digits.test(text)) refuse(`Invalid character(s) found in ${name.toLowerCase()} number ${goQuote(text)}`);
  if (text.length > 1 && text.startsWith('0'))
    refuse(`${name} number must not contain leading zeroes ${goQuote(text)}`);
  if (!text) refuse('strconv.ParseUint: parsing "": invalid syntax');
  if (text.length > 20 || BigInt(text) > mostUint)
    refuse(`strconv.ParseUint: parsing ${goQuote(text)}: value out of range`);
  return BigInt(text);
}

function read(text: string): Version {
  if (!text) refuse('Version string empty');
  const [majorText, minorText, rest] = parts(text);
  if (rest === undefined) return refuse('No Major.Minor.Patch elements found');
  const major = readNumber(majorText as string, 'Major');
  const minor = readNumber(minorText as string, 'Minor');
  const plus = rest.indexOf('+');
  const build = plus < 0 ? [] : rest.slice(plus + 1).split('.');
  const core = plus < 0 ? rest : rest.slice(0, plus);
  const dash = core.indexOf('-');
  const patch = readNumber(dash < 0 ? core : core.slice(0, dash), 'Patch');
  const prerelease =
    dash < 0
      ? []
      : core
          .slice(dash + 1)
          .split('.')
          .map(readPrerelease);
  for (const part of build) {
    if (!part) refuse('Build meta data is empty');
    if (!letters.test(part)) refuse(`Invalid character(s) found in build meta data ${goQuote(part)}`);
  }
  return { numbers: [major, minor, patch], prerelease, build };
}

function readPrerelease(text: string): bigint | string {
  if (!text) return refuse('Prerelease is empty');
  if (!digits.test(text))
    return letters.test(text) ? text : refuse(`Invalid character(s) found in prerelease ${goQuote(text)}`);
  if (text.length > 1 && text.startsWith('0'))
    refuse(`Numeric PreRelease version must not contain leading zeroes ${goQuote(text)}`);
  if (text.length > 20 || BigInt(text) > mostUint)
    refuse(`strconv.ParseUint: parsing ${goQuote(text)}: value out of range`);
  return BigInt(text);
}

const order = <T extends bigint | string | number>(a: T, b: T): number => (a < b ? -1 : Number(a > b));

export function compareVersions(a: Version, b: Version): number {
  for (const [index, number] of a.numbers.entries()) {
    const sign = order(number, b.numbers[index] as bigint);
    if (sign) return sign;
  }
  if (!a.prerelease.length || !b.prerelease.length)
    return order(b.prerelease.length, a.prerelease.length) && (a.prerelease.length ? -1 : 1);
  for (const [index, part] of a.prerelease.entries()) {
    const other = b.prerelease[index];
    if (other === undefined) return 1;
    const sign = comparePrerelease(part, other);
    if (sign) return sign;
  }
  return order(a.prerelease.length, b.prerelease.length);
}

/** Numbers come before texts. */
function comparePrerelease(a: bigint | string, b: bigint | string): number {
  if (typeof a === typeof b) return order(a, b);
  return typeof a === 'bigint' ? -1 : 1;
}
