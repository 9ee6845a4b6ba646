// resourceVersion, resourceVersionMatch, limit and continue.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions

import path from 'node:path';
import { badRequest } from '../../../api/api.ts';
import { shortInteger } from '../../../machinery/text/digits.ts';
import { int64Of, isTrue } from '../../request/query.ts';
import { failure, plainError } from '../../status.ts';
import { invalidOptions } from '../write/write-options.ts';

export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly resourceVersion: string;
  readonly match: '' | 'Exact' | 'NotOlderThan';
  readonly limit: number;
  readonly continue: string;
  readonly sendInitialEvents?: boolean;
  readonly bookmarks: boolean;
  /** undefined: the server chooses. */
  readonly timeoutSeconds?: number;
}

const field = 'resourceVersionMatch';
const forbids = (message: string, of = field) => ({
  reason: 'FieldValueForbidden',
  field: of,
  message: `Forbidden: ${message}`,
});

export function listOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const resourceVersion = query.get('resourceVersion') ?? '';
  const given = query.get('sendInitialEvents');
  // A watch from no version begins with the state, as before sendInitialEvents existed.
  const isOld = watch && given === null && !query.get(field) && ['', '0'].includes(resourceVersion);
  const match = isOld ? 'NotOlderThan' : (query.get(field) ?? '');
  const initial = isOld ? true : given === null ? undefined : isTrue(given);
  const timeoutSeconds = int64Of(query, 'timeoutSeconds');
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion,
    match: match as ListOptions['match'],
    limit: Math.max(0, int64Of(query, 'limit') ?? 0),
    continue: query.get('continue') ?? '',
    ...(initial !== undefined && { sendInitialEvents: initial }),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
  };
  const faults = watch ? watchFaults(options) : listFaults(options);
  if (faults.length) throw invalidOptions('ListOptions', faults);
  return options;
}

const noInitialEvents = forbids('sendInitialEvents is forbidden for list', 'sendInitialEvents');

function listFaults({ match, resourceVersion, continue: token, sendInitialEvents }: ListOptions) {
  const faults = sendInitialEvents === undefined ? [] : [noInitialEvents];
  if (!match) return faults;
  if (!resourceVersion) faults.push(forbids('resourceVersionMatch is forbidden unless resourceVersion is provided'));
  if (token) faults.push(forbids('resourceVersionMatch is forbidden when continue is provided'));
  if (match !== 'Exact' && match !== 'NotOlderThan')
    faults.push({
      reason: 'FieldValueNotSupported',
      field,
      message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
    });
  if (match === 'Exact' && resourceVersion === '0')
    faults.push(forbids('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  return faults;
}

function watchFaults({ match, sendInitialEvents, continue: token }: ListOptions) {
  const faults: ReturnType<typeof forbids>[] = [];
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    faults.push(forbids('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (!match) return faults;
  if (sendInitialEvents === undefined)
    faults.push(forbids('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  if (match !== 'NotOlderThan')
    faults.push({
      reason: 'FieldValueNotSupported',
      field,
      message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`,
    });
  if (token) faults.push(forbids('resourceVersionMatch is forbidden when continue is provided'));
  return faults;
}

const mostUint64 = 2n ** 64n - 1n;

/** For lists, an invalid version is a bad request; otherwise it is a server error. */
export function parseVersion(text: string, purpose: 'list' | 'other'): number {
  const isNumber = /^\d+$/.test(text);
  const version = isNumber ? shortInteger(text) : undefined;
  if (version !== undefined && version <= mostUint64) return Number(version);
  const why = isNumber ? 'value out of range' : 'invalid syntax';
  const message = `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`;
  throw purpose === 'list' ? badRequest(`invalid resource version: ${message}`) : plainError(message);
}

interface ContinueToken {
  /** -1: an inconsistent rest, from the newest state. */
  readonly revision: number;
  /** The start key of the next page, relative to the list's prefix. */
  readonly start: string;
}

/** The token has the form that Kubernetes gives it. */
export const writeContinue = ({ revision, start }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');

/** Throws a 400 in the words of Kubernetes. */
export function readContinue(token: string): ContinueToken {
  const invalid = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  if (!/^[\w-]*$/.test(token)) throw invalid(`illegal base64 data at input byte ${token.search(/[^\w-]/)}`);
  if (token.length % 4 === 1) throw invalid(`illegal base64 data at input byte ${token.length - 1}`);
  const text = Buffer.from(token, 'base64url').toString('latin1');
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw invalid(
      text ? `invalid character '${text[0]}' looking for beginning of value` : 'unexpected end of JSON input',
    );
  }
  if (parsed !== null && (typeof parsed !== 'object' || Array.isArray(parsed)))
    throw invalid(`json: cannot unmarshal ${goKind(parsed)} into Go value of type storage.continueToken`);
  const { v = '', rv = 0, start = '' } = (parsed ?? {}) as Record<string, unknown>;
  const fields = [
    { name: 'v', value: v, type: 'string', fits: typeof v === 'string' },
    { name: 'rv', value: rv, type: 'int64', fits: Number.isSafeInteger(rv) },
    { name: 'start', value: start, type: 'string', fits: typeof start === 'string' },
  ];
  for (const { name, value, type, fits } of fields)
    if (!fits && value !== null)
      throw invalid(
        `json: cannot unmarshal ${goKind(value)} into Go struct field continueToken.${name} of type ${type}`,
      );
  if (v !== 'meta.k8s.io/v1') throw invalid(`server does not recognize this encoded version ${v ?? ''}`);
  if (!rv) throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (!start) throw invalid('encoded start key empty (version meta.k8s.io/v1)');
  const key = `/${String(start).replace(/^\//, '')}`;
  if (path.posix.normalize(key).replace(/(.)\/$/, '$1') !== key) throw invalid(String(start));
  return { revision: rv as number, start: key.slice(1) };
}

/** The name of a value's type in errors of Go's JSON decoder. */
const goKind = (value: unknown): string =>
  Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : typeof value === 'number' && !Number.isSafeInteger(value)
        ? `number ${value}`
        : typeof value;

/** The token's state was compacted; the new token in the response continues with the current state. */
export function continueExpired(start: string) {
  const error = failure(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  (error.status as { metadata: object }).metadata = { continue: writeContinue({ revision: -1, start }) };
  return error;
}
