import { unauthorized } from '../../api/api.ts';
import type { Stage } from '../request.ts';

/** An in-process request has its user. */
export const identify: Stage = async (request, next) => {
  if (!request.connection) return next();
  for (const authenticator of request.server.authenticators) {
    const user = await authenticator.authenticate(request);
    if (!user) continue;
    request.user = user;
    return next();
  }
  throw unauthorized();
};
