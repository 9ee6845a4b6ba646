import { observeBody } from '../metrics/request-metrics.ts';
import type { Stage } from '../request/request.ts';

const withBody = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Reads the body before the request takes a place among those in progress: a slow sender delays no other request. */
export const receive: Stage = async (request, next) => {
  const { connection, method } = request;
  // A request that leaves HTTP has no body, and a proxied body is streamed to its backend.
  if (connection && !connection.upgrade && withBody.has(method) && request.info.subresource !== 'proxy') {
    const body = await request.body();
    if (body && 'bytes' in body) observeBody(request, body.bytes.length);
  }
  return next();
};
