// resourceVersion, resourceVersionMatch, limit and continue.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions

import { badRequest } from '../../api/api.ts';
import { isTrue } from '../request.ts';
import { failure, plainError } from '../status.ts';
import { invalidOptions } from './target.ts';

export interface ListOptions {
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
  const match = query.get(field) ?? '';
  const initial = query.get('sendInitialEvents');
  const options: ListOptions = {
    resourceVersion,
    match: match as ListOptions['match'],
    limit: Math.max(0, Number.parseInt(query.get('limit') ?? '0', 10) || 0),
    continue: query.get('continue') ?? '',
    ...(initial !== null && { sendInitialEvents: isTrue(initial) }),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    ...(query.get('timeoutSeconds') && {
      timeoutSeconds: Number.parseInt(query.get('timeoutSeconds') as string, 10) || 0,
    }),
  };
  const faults = watch ? watchFaults(options) : listFaults(options);
  if (faults.length) throw invalidOptions('ListOptions', faults);
  return options;
}

function listFaults({ match, resourceVersion, continue: token, sendInitialEvents }: ListOptions) {
  const faults: ReturnType<typeof forbids>[] = [];
  if (sendInitialEvents !== undefined) return [forbids('sendInitialEvents is forbidden for list', 'sendInitialEvents')];
  if (!match) return faults;
  if (token) faults.push(forbids('resourceVersionMatch is forbidden when continue is provided'));
  if (!resourceVersion && !token)
    faults.push(forbids('resourceVersionMatch is forbidden unless resourceVersion is provided'));
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

function watchFaults({ match, sendInitialEvents }: ListOptions) {
  const faults: ReturnType<typeof forbids>[] = [];
  if (sendInitialEvents === undefined)
    return match
      ? [forbids('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')]
      : faults;
  if (match !== 'NotOlderThan')
    faults.push(forbids('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (match && match !== 'NotOlderThan')
    faults.push({
      reason: 'FieldValueNotSupported',
      field,
      message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`,
    });
  return faults;
}

/** Lists word a version that is no number as a bad request, everything else as an error of the server. */
export function parseVersion(text: string, purpose: 'list' | 'other'): number {
  if (/^\d+$/.test(text)) return Number(text);
  const message = `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw purpose === 'list' ? badRequest(`invalid resource version: ${message}`) : plainError(message);
}

interface ContinueToken {
  /** -1: an inconsistent rest, from the newest state. */
  readonly revision: number;
  /** The key to go on from, below the list's own prefix. */
  readonly start: string;
}

/** The token has the form that Kubernetes gives it. */
export const writeContinue = ({ revision, start }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');

export function readContinue(token: string): ContinueToken {
  const invalid = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  if (!/^[\w-]*=*$/.test(token)) throw invalid(`illegal base64 data at input byte ${token.search(/[^\w-]/)}`);
  const text = Buffer.from(token, 'base64url').toString('latin1');
  let value: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw invalid(`invalid character '${text[0] ?? ''}' looking for beginning of value`);
  }
  const { v, rv, start } = Object(value) as typeof value;
  if (v !== 'meta.k8s.io/v1')
    throw badRequest(
      'invalid continue token: continue key is not valid: server does not recognize this encoded version',
    );
  if (typeof rv !== 'number' || rv === 0)
    throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || !start) throw invalid('encoded start key empty (version meta.k8s.io/v1)');
  if (start.includes('/../') || start.startsWith('../')) throw invalid(`${start}`);
  return { revision: rv, start };
}

/** The state that the token speaks of is gone; the token in the answer goes on with today's. */
export function continueExpired(start: string) {
  const error = failure(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  (error.status as { metadata: object }).metadata = { continue: writeContinue({ revision: -1, start }) };
  return error;
}
