// Status errors: one class, and one constructor function per reason.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/

import type { Status } from './generated/types.ts';

/** Characters: a message may show the texts of a request. */
const longestMessage = 1 << 20;

/** A failed API call, on the server or the client: `status` is the exact response body. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;
  /** Response headers that go with it, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Status, headers: Readonly<Record<string, string>> = {}) {
    const { message = status.reason ?? 'unknown error' } = status;
    super(message.slice(0, longestMessage));
    this.status = message.length > longestMessage ? { ...status, message: this.message } : status;
    this.headers = headers;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? '';
  }
}

export const isApiError = (error: unknown, reason?: string): error is ApiError =>
  error instanceof ApiError && (reason === undefined || error.reason === reason);
export const isNotFound = (error: unknown): boolean => isApiError(error, 'NotFound');
export const isConflict = (error: unknown): boolean => isApiError(error, 'Conflict');
/**
 * For reads and deletions: an absent object is not an error. Rejects with any other error.
 * `client.get(...).catch(ignoreNotFound)`
 */
export function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
/** Creation failed because the namespace terminates: a retry is useless. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  isApiError(error) && (error.status.details?.causes ?? []).some((cause) => cause.reason === 'NamespaceTerminating');
export const isAlreadyExists = (error: unknown): boolean => isApiError(error, 'AlreadyExists');

/** One fault of an object: `causes` lists them, and the message of an Invalid joins them. */
export interface FieldError {
  /** The reason of the cause, as in FieldValueInvalid. */
  readonly type: FieldErrorType;
  /** Path of the field, such as spec.containers[0].name. */
  readonly field: string;
  /** The text after "field: ", such as `Required value` or `Invalid value: "x": must be ...`. */
  readonly message: string;
}

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

interface Named {
  readonly group: string;
  /** The plural, as in "pods". */
  readonly resource: string;
}

const qualified = (r: Named) => (r.group ? `${r.resource}.${r.group}` : r.resource);

function failure(
  code: number,
  reason: string,
  message: string,
  details?: Status['details'],
  headers?: Record<string, string>,
) {
  return new ApiError(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details && { details }),
      code,
    } as Status,
    headers,
  );
}

const detailsOf = (r: Named, name: string) => ({
  ...(name && { name }),
  ...(r.group && { group: r.group }),
  kind: r.resource,
});

export const notFound = (r: Named, name: string) =>
  failure(404, 'NotFound', `${qualified(r)} "${name}" not found`, detailsOf(r, name));
export const alreadyExists = (r: Named, name: string) =>
  failure(409, 'AlreadyExists', `${qualified(r)} "${name}" already exists`, detailsOf(r, name));
export const conflict = (r: Named, name: string, why: string) =>
  failure(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`, detailsOf(r, name));
export const forbidden = (r: Named, name: string, why: string) =>
  failure(
    403,
    'Forbidden',
    name ? `${qualified(r)} "${name}" is forbidden: ${why}` : `${qualified(r)} is forbidden: ${why}`,
    detailsOf(r, name),
  );
export const badRequest = (message: string) => failure(400, 'BadRequest', message);
export const unauthorized = () => failure(401, 'Unauthorized', 'Unauthorized');
export const internalError = (message: string) =>
  failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] } as Status['details']);
export const expired = (message: string) => failure(410, 'Expired', message);
export const tooLarge = (message: string) => failure(413, 'RequestEntityTooLarge', message);
export const unsupportedMediaType = (message: string) => failure(415, 'UnsupportedMediaType', message);
export const timeout = (message: string) => failure(504, 'Timeout', `Timeout: ${message}`, {});
export const methodNotAllowed = (r: Named, action: string) =>
  failure(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${qualified(r)}"`,
    detailsOf(r, ''),
  );
export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
  failure(429, 'TooManyRequests', message, { retryAfterSeconds } as Status['details'], {
    'Retry-After': String(retryAfterSeconds),
  });
export const serviceUnavailable = (message: string) => failure(503, 'ServiceUnavailable', message);

/** An object may have a hundred thousand faults, and each is written three times, so their number is limited. */
export const mostFaults = 1_000;

/** Characters of all of them. */
const mostFaultText = 1 << 20;

/** The first faults, at least one. */
function shownFaults(faults: readonly FieldError[]): readonly FieldError[] {
  let left = mostFaultText;
  return faults
    .slice(0, mostFaults)
    .filter(({ field, message }, index) => (left -= field.length + message.length) >= 0 || index === 0);
}

/** 422 with a cause for each fault. */
export function invalid(kind: { group: string; kind: string }, name: string, faults: readonly FieldError[]): ApiError {
  const errors = shownFaults(faults);
  // Events of both groups are one kind, whose errors name the older group.
  const group = kind.group === 'events.k8s.io' ? '' : kind.group;
  const kindName = group ? `${kind.kind}.${group}` : kind.kind;
  const texts = [...new Set(errors.map((e) => `${e.field}: ${e.message}`))];
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return failure(422, 'Invalid', `${kindName} "${name}" is invalid: ${all}`, {
    ...(name && { name }),
    ...(group && { group }),
    kind: kind.kind,
    causes: errors.map((e) => ({ reason: e.type, message: e.message, field: e.field })),
  } as Status['details']);
}
