// Credentials of registries by image, from pull secrets and credential providers.
// https://kubernetes.io/docs/concepts/containers/images/#config-json

import type { Secret } from '../../api/api.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Where the credentials are valid: registry.test, *.registry.test:5000 or registry.test/team. */
export type Entries = readonly (readonly [location: string, credentials: Credentials])[];

const defaultRegistry = 'index.docker.io';

/**
 * Those for an image (its name without a tag), to be tried in this order: longer locations first, and names before
 * patterns. Images without a registry have those of index.docker.io.
 */
export function lookUp(entries: Entries, image: string): Credentials[] {
  const keyed = entriesFor(entries, image).map(([location, credentials]) => ({ key: keyOf(location), credentials }));
  keyed.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? 1 : -1));
  const found = keyed.filter(({ key }) => isMatch(key, image));
  if (found.length > 0) return found.map(({ credentials }) => credentials);
  if (!isOfDefaultRegistry(image)) return [];
  return keyed.filter(({ key }) => key === defaultRegistry).map(({ credentials }) => credentials);
}

/** The entries that `lookUp` may choose for the image. */
export function entriesFor(entries: Entries, image: string): Entries {
  const isDefault = isOfDefaultRegistry(image);
  return entries.filter(([location]) => {
    const key = keyOf(location);
    return (isDefault && key === defaultRegistry) || isMatch(key, image);
  });
}

/** Without the scheme, and the path of a registry's API. */
function keyOf(location: string): string {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(\/.*)?$/i.exec(location) ?? [];
  const own = path.replace(/^\/v[12]\//, '/');
  return own === '/' ? host : host + own;
}

function isOfDefaultRegistry(image: string): boolean {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(0, slash));
  return slash === -1 || first === 'docker.io' || first === defaultRegistry || (first !== '' && !/[.:]/.test(first));
}

/**
 * Whether a location covers an image: the same number of parts of the domain, of which each matches, the same port, and
 * a path that is the beginning of the image's.
 */
export function isMatch(location: string, image: string): boolean {
  const [of, target] = [partsOf(location), partsOf(image)];
  return (
    of.port === target.port &&
    of.domain.length === target.domain.length &&
    target.path.startsWith(of.path) &&
    of.domain.every((pattern, i) => isGlobMatch(pattern, target.domain[i]))
  );
}

function partsOf(text: string): { domain: string[]; port: string; path: string } {
  const [, host = '', port = '', path = ''] = /^([^/]*?)(?::(\d+))?(\/.*)?$/.exec(text) ?? [];
  return { domain: host.split('.'), port, path };
}

/** With `*` for any text. In linear steps of both lengths: patterns come from users. */
function isGlobMatch(pattern: string, text: string): boolean {
  let [p, t, star, from] = [0, 0, -1, 0];
  while (t < text.length)
    if (pattern[p] === '*') [star, from] = [p++, t];
    else if (p < pattern.length && pattern[p] === text[t]) [p, t] = [p + 1, t + 1];
    else if (star >= 0) [p, t] = [star + 1, ++from];
    else return false;
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Of secrets of the types kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg. */
export function entriesOf(secrets: readonly Secret[]): Entries {
  return secrets.flatMap(({ data = {} }) => [
    ...entriesIn(asObject(jsonOf(data['.dockerconfigjson']))['auths']),
    ...entriesIn(jsonOf(data['.dockercfg'])),
  ]);
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** A secret that is no JSON is for no registry. */
function jsonOf(data: string | undefined): unknown {
  try {
    return data === undefined ? undefined : JSON.parse(Buffer.from(data, 'base64').toString());
  } catch {
    return undefined;
  }
}

function entriesIn(auths: unknown): Entries {
  return Object.entries(asObject(auths)).flatMap(([location, value]) => {
    const { auth, username, password } = asObject(value);
    if (typeof auth === 'string' && auth !== '') {
      const text = Buffer.from(auth, 'base64').toString();
      const colon = text.indexOf(':');
      return colon < 0
        ? []
        : [[location, { username: text.slice(0, colon), password: text.slice(colon + 1) }] as const];
    }
    return typeof username === 'string' && typeof password === 'string'
      ? [[location, { username, password }] as const]
      : [];
  });
}
