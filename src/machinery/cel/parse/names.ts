// Names of fields as an expression writes them. https://kubernetes.io/docs/reference/using-api/cel/#escaping

import { TextCache } from '../../collections/text-cache.ts';

const keywords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const signs: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
};
const named: Readonly<Record<string, string>> = { underscores: '__', dot: '.', dash: '-', slash: '/' };

const limits = { most: 10_000 };
const escaped = new TextCache(escapedForm, limits);
const unescaped = new TextCache(plainForm, limits);

/** Undefined for a name that no expression can write. */
export const escapeName = (name: string): string | undefined => escaped.get(name);
/** Undefined if the text is no escaped name. */
export const unescapeName = (name: string): string | undefined => (name.includes('__') ? unescaped.get(name) : name);

function escapedForm(name: string): string | undefined {
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  if (keywords.has(name)) return `__${name}__`;
  return name.replace(/__|[.\-/]/g, (sign) => signs[sign] as string);
}

function plainForm(name: string): string | undefined {
  let valid = true;
  const plain = name.replace(/__([^_]+)__/g, (all, word: string) => {
    if (Object.hasOwn(named, word)) return named[word] as string;
    if (keywords.has(word) && all.length === name.length) return word;
    valid = false;
    return '';
  });
  return valid ? plain : undefined;
}
