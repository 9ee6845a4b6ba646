// The functions that Kubernetes adds: URLs, regular expressions, quantities, addresses, versions, formats, JSON
// patches.
// https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries

import { add, fixed, multiply, regexFactor, scale, sizeEstimate, stringFactor } from '../cost/cost-range.ts';
import {
  type CallCost,
  type CallEstimator,
  type FunctionDeclaration,
  global,
  type Implementation,
  type Library,
  member,
} from '../declarations.ts';
import { boolType, intType, listType, mapType, stringType, structType, type Type } from '../types.ts';
import { ArrayList, EntryMap, fail, sizeOf, type Value } from '../values.ts';
import { matchCost, patternOf } from './conversions.ts';
import { UrlValue, VersionValue } from './objects.ts';
import { compareVersions, parseVersion } from './semver-parse.ts';
import { escapedPath, parseQuery, parseRequestUrl, splitPort } from './url-parse.ts';

const urlType = structType('kubernetes.URL');
const semverType = structType('kubernetes.Semver');
export const formatType = structType('kubernetes.NamedFormat');

/** So many passes over the text that is read. */
export const reading = (passes = 1): { cost: CallCost; estimate: CallEstimator } => ({
  cost: (args) => Math.ceil((sizeOf(args[0] as Value) ?? 1) * passes * stringFactor),
  estimate: ({ args }, estimator) =>
    args[0] && { cost: scale(sizeEstimate(args[0], estimator), passes * stringFactor) },
});

export const nominal: { cost: CallCost; estimate: CallEstimator } = {
  cost: () => 1,
  estimate: () => ({ cost: fixed(1) }),
};

/** A function whose result is as large as its text. */
const sameSize = (): { cost: CallCost; estimate: CallEstimator } => ({
  cost: reading().cost,
  estimate: ({ args }, estimator) => {
    const size = args[0] && sizeEstimate(args[0], estimator);
    return size && { cost: scale(size, stringFactor), size };
  },
});

export const access = (
  name: string,
  id: string,
  on: Type,
  result: Type,
  call: Implementation,
): FunctionDeclaration => ({
  name,
  overloads: [member(id, [on], result, call)],
  ...nominal,
});

function urlOf(text: string): UrlValue {
  const url = parseRequestUrl(text);
  return typeof url === 'string'
    ? fail(`URL parse error during conversion from string: ${url}`)
    : new UrlValue(url, text);
}

export const urls: Library = {
  functions: [
    { name: 'url', overloads: [global('string_to_url', [stringType], urlType, urlOf)], ...sameSize() },
    access('getScheme', 'url_get_scheme', urlType, stringType, ({ url }: UrlValue) => url.scheme),
    access('getHost', 'url_get_host', urlType, stringType, ({ url }: UrlValue) => url.host),
    access('getHostname', 'url_get_hostname', urlType, stringType, ({ url }: UrlValue) => splitPort(url.host).name),
    access('getPort', 'url_get_port', urlType, stringType, ({ url }: UrlValue) => splitPort(url.host).port),
    access('getEscapedPath', 'url_get_escaped_path', urlType, stringType, ({ url }: UrlValue) => escapedPath(url.path)),
    access(
      'getQuery',
      'url_get_query',
      urlType,
      mapType(stringType, listType(stringType)),
      ({ url }: UrlValue) =>
        new EntryMap([...parseQuery(url.query)].map(([key, values]) => [key, new ArrayList(values)])),
    ),
    {
      name: 'isURL',
      overloads: [
        global('is_url_string', [stringType], boolType, (text: string) => typeof parseRequestUrl(text) !== 'string'),
      ],
    },
  ],
};

const findAll: Implementation = (text: string, pattern: string, limit: bigint = -1n) =>
  new ArrayList(patternOf(pattern, 'Illegal regex: ').findAll(text, Number(limit)));

const matching: { cost: CallCost; estimate: CallEstimator } = {
  cost: (args) => matchCost(args[0] as Value, args[1] as Value),
  estimate: ({ target, args }, estimator) => {
    if (!target || !args[0]) return undefined;
    const size = sizeEstimate(target, estimator);
    const text = scale(add(size, fixed(1)), stringFactor);
    const pattern = scale(sizeEstimate(args[0], estimator), regexFactor);
    return { cost: multiply(text, pattern), size: { min: 0, max: size.max } };
  },
};

export const regex: Library = {
  functions: [
    {
      name: 'find',
      overloads: [
        member(
          'string_find_string',
          [stringType, stringType],
          stringType,
          (text: string, pattern: string) => patternOf(pattern, 'Illegal regex: ').find(text) ?? '',
        ),
      ],
      ...matching,
    },
    {
      name: 'findAll',
      overloads: [
        member('string_find_all_string', [stringType, stringType], listType(stringType), findAll),
        member('string_find_all_string_int', [stringType, stringType, intType], listType(stringType), findAll),
      ],
      ...matching,
    },
  ],
};

export function versionOf(text: string, normalize = false): VersionValue {
  const version = parseVersion(text, normalize);
  return typeof version === 'string' ? fail(version) : new VersionValue(version);
}

const isVersion = (text: string, normalize = false): boolean => typeof parseVersion(text, normalize) !== 'string';
const compareValues = (a: VersionValue, b: VersionValue): number => compareVersions(a.version, b.version);
const versions = [semverType, semverType];

export const semver: Library = {
  functions: [
    {
      name: 'semver',
      overloads: [
        global('string_to_semver', [stringType], semverType, versionOf),
        global('string_bool_to_semver', [stringType, boolType], semverType, versionOf),
      ],
      ...reading(),
    },
    {
      name: 'isSemver',
      overloads: [
        global('is_semver_string', [stringType], boolType, isVersion),
        global('is_semver_string_bool', [stringType, boolType], boolType, isVersion),
      ],
      ...reading(),
    },
    {
      name: 'isGreaterThan',
      overloads: [
        member(
          'semver_is_greater_than',
          versions,
          boolType,
          (a: VersionValue, b: VersionValue) => compareValues(a, b) > 0,
        ),
      ],
      ...nominal,
    },
    {
      name: 'isLessThan',
      overloads: [
        member(
          'semver_is_less_than',
          versions,
          boolType,
          (a: VersionValue, b: VersionValue) => compareValues(a, b) < 0,
        ),
      ],
      ...nominal,
    },
    {
      name: 'compareTo',
      overloads: [
        member('semver_compare_to', versions, intType, (a: VersionValue, b: VersionValue) =>
          BigInt(compareValues(a, b)),
        ),
      ],
      ...nominal,
    },
    ...(['major', 'minor', 'patch'] as const).map((name, index) =>
      access(
        name,
        `semver_${name}`,
        semverType,
        intType,
        ({ version }: VersionValue) => version.numbers[index] as bigint,
      ),
    ),
  ],
};

export const jsonPatch: Library = {
  functions: [
    {
      name: 'jsonpatch.escapeKey',
      overloads: [
        global('string_jsonpatch_escapeKey_string', [stringType], stringType, (key: string) =>
          key.replaceAll('~', '~0').replaceAll('/', '~1'),
        ),
      ],
      ...sameSize(),
    },
  ],
};
