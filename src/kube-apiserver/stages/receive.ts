import type { Stage } from '../request.ts';

const withBody = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Reads the body of a request before it takes a place among those under way: a slow sender keeps nobody waiting. */
export const receive: Stage = async (request, next) => {
  const { connection, method } = request;
  // Who leaves HTTP has no body, and a proxied body is passed on as it comes.
  if (connection && !connection.upgrade && withBody.has(method) && request.info.subresource !== 'proxy')
    await request.body();
  return next();
};
