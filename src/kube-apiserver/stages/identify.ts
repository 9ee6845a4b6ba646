import { unauthorized } from '../../api/api.ts';
import { type AuthenticationResult, accessMetrics, reportedUser } from '../metrics/access-metrics.ts';
import { requestMetrics } from '../metrics/request-metrics.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { UserInfo } from '../request/user.ts';
import type { Server } from '../server.ts';

/** An in-process request has its user. */
export const identify: Stage = async (request, next) => {
  if (!request.connection) return next();
  const { clock } = request.server;
  const startMs = clock.monotonic();
  let result: AuthenticationResult = 'error';
  try {
    const user = await identified(request);
    result = user ? 'success' : 'failure';
    if (!user) throw unauthorized();
    request.user = user;
  } finally {
    request.identified = { startMs, endMs: clock.monotonic() };
    observe(request, result, request.identified.endMs - startMs);
  }
  return next();
};

function observe({ server: { metrics }, user }: ApiRequest, result: AuthenticationResult, ms: number): void {
  const { authentication, users } = accessMetrics(metrics);
  const { attempts, duration } = authentication[result];
  attempts.add();
  duration.observe(ms / 1_000);
  requestMetrics(metrics).filters.authentication.observe(ms / 1_000);
  if (result === 'success') users.get(reportedUser(user.name))?.add();
}

/** The user of a bearer token alone. Throws unauthorized() when no authenticator takes it. */
export async function userOfToken(server: Server, token: string): Promise<UserInfo> {
  const headers = { authorization: `Bearer ${token}` };
  for (const authenticator of server.authenticators) {
    const user = await authenticator.authenticate({ server, headers, path: '/', warnings: [] });
    if (user) return user;
  }
  throw unauthorized();
}

/** The first authenticator that accepts the credentials decides. Throws for wrong credentials. */
async function identified(request: ApiRequest): Promise<UserInfo | undefined> {
  if (request.connection?.user) return request.connection.user;
  for (const authenticator of request.server.authenticators) {
    const user = await authenticator.authenticate(request);
    if (user) return user;
  }
  return undefined;
}
