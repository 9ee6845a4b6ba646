import { ApiError, badRequest, DecodeError, internalError } from '../../api/api.ts';
import { QuantityError } from '../../machinery/quantity.ts';
import { tooDeep } from '../../machinery/text/depth.ts';
import { Compacted, FutureRevision, StoreUnusable } from '../../store/store.ts';
import type { Stage } from '../request/request.ts';
import { failure, futureVersion, unavailable } from '../status.ts';

/** Converts every error to a Status. Unexpected errors are logged and become a 500. */
export const answerErrors: Stage = async (request, next) => {
  try {
    return await next();
  } catch (error) {
    const refusal = asApiError(error);
    if (refusal) return { type: 'object', code: refusal.code, object: refusal.status, headers: refusal.headers };
    request.server.logger.error('unhandled error in request', {
      method: request.method,
      path: request.path,
      error: error instanceof Error ? error.stack : String(error),
    });
    const { status } = internalError(error instanceof Error ? error.message : String(error));
    return { type: 'object', code: 500, object: status };
  }
};

function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  // Shape errors come from the decoder, others from the canonical form.
  if (error instanceof DecodeError || error instanceof QuantityError) return badRequest(error.message);
  // Nesting is bounded where data comes in. This happens only with a smaller stack than usual.
  if (error instanceof RangeError && error.message === 'Maximum call stack size exceeded') return badRequest(tooDeep);
  if (error instanceof Compacted)
    return failure(410, 'Expired', 'The resourceVersion for the provided list is too old.');
  if (error instanceof FutureRevision) return futureVersion(0, error.current);
  if (error instanceof StoreUnusable && error.reason === 'paused') return unavailable(error.message);
  if (error instanceof StoreUnusable) return failure(500, undefined, `etcdserver: ${error.message}`);
  return undefined;
}
