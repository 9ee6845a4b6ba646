import { unauthorized } from '../../api/api.ts';
import type { ApiRequest, Stage } from '../request.ts';
import type { UserInfo } from '../user.ts';

/** An in-process request has its user. */
export const identify: Stage = async (request, next) => {
  if (!request.connection) return next();
  const { clock } = request.server;
  const startMs = clock.monotonic();
  const user = await identified(request);
  if (!user) throw unauthorized();
  request.user = user;
  request.identified = { startMs, endMs: clock.monotonic() };
  return next();
};

const results = { success: { result: 'success' }, failure: { result: 'failure' }, error: { result: 'error' } } as const;

/** The first authenticator that accepts the credentials decides. Throws for wrong credentials. */
async function identified(request: ApiRequest): Promise<UserInfo | undefined> {
  const { authenticators, metrics } = request.server;
  let result: keyof typeof results = 'error';
  try {
    for (const authenticator of authenticators) {
      const user = await authenticator.authenticate(request);
      if (!user) continue;
      result = 'success';
      return user;
    }
    result = 'failure';
    return undefined;
  } finally {
    metrics.counter('authentication_attempts', 'Counter of authenticated attempts.').add(1, results[result]);
  }
}
