// Status errors of the API server itself, beside those of api/errors.ts.

import { ApiError } from '../api/api.ts';

/** A failure with exactly these fields; `details` is left out of the Status when undefined. */
export function failure(code: number, reason: string | undefined, message: string, details?: object): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason && { reason }),
    ...(details && { details }),
    code,
  } as ApiError['status']);
}

/** A 500 without a reason: Kubernetes answers so when an error comes from deep inside the server. */
export const plainError = (message: string): ApiError => failure(500, undefined, message);

/** The path names a resource that is not served. */
export const noSuchResource = (): ApiError =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {});

export const methodRefused = (): ApiError =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

/** A read of a revision that does not exist yet. */
export const futureVersion = (asked: number, current: number): ApiError => {
  const { status } = failure(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
  return new ApiError(status, { 'Retry-After': '1' });
};

/** Clients repeat the request after a second. */
export const unavailable = (message: string): ApiError =>
  new ApiError(failure(503, 'ServiceUnavailable', message, { retryAfterSeconds: 1 }).status, { 'Retry-After': '1' });

/** Refusals before a request is read keep browsers from guessing their type, as Kubernetes has it. */
export const unguessed = ({ status }: ApiError): ApiError =>
  new ApiError(status, { 'X-Content-Type-Options': 'nosniff' });

export const unsupportedPatch = (accepted: readonly string[]): ApiError =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
