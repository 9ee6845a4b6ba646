// Names of fields as an expression writes them. https://kubernetes.io/docs/reference/using-api/cel/#escaping

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

const escaped = new Map<string, string | undefined>();
const unescaped = new Map<string, string | undefined>();
const mostCached = 10_000;

function cached(cache: Map<string, string | undefined>, name: string, make: (name: string) => string | undefined) {
  if (cache.has(name)) return cache.get(name);
  if (cache.size >= mostCached) cache.clear();
  const made = make(name);
  cache.set(name, made);
  return made;
}

/** Undefined for a name that no expression can write. */
export const escapeName = (name: string): string | undefined => cached(escaped, name, escapedForm);
/** Undefined when no name is written so. */
export const unescapeName = (name: string): string | undefined =>
  name.includes('__') ? cached(unescaped, name, plainForm) : name;

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
