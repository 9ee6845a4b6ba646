// Notes writes that the server refuses.

import { ApiError } from '../../api/api.ts';
import { refuserOf } from '../refusals.ts';
import type { ApiRequest, Stage } from '../request/request.ts';

const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
/** Conflicts and missing objects are part of every controller's work. */
const noted = new Set([400, 403, 413, 422]);

const longestMessage = 2_000;

export const noteRefusals: Stage = async (request, next) => {
  try {
    return await next();
  } catch (error) {
    if (error instanceof ApiError && isNoted(request, error)) note(request, error);
    throw error;
  }
};

/** An eviction waits for the budget of its pod with code 429; other writes wait for their turn with it. */
const isNoted = ({ info }: ApiRequest, { code }: ApiError): boolean =>
  info.isResource && writes.has(info.verb) && (noted.has(code) || (code === 429 && info.subresource === 'eviction'));

function note({ info, user, server }: ApiRequest, error: ApiError): void {
  const { verb, group, resource, subresource, namespace, name } = info;
  const refuser = refuserOf(error);
  server.refusals.note({
    ...{
      timeMs: server.clock.now(),
      user: user.name,
      code: error.code,
      message: (error.status.message ?? '').slice(0, longestMessage),
    },
    ...{ verb, group, resource, subresource, namespace, name: name || (refuser?.name ?? '') },
    by: refuser?.by ?? (error.code === 429 ? 'PodDisruptionBudget' : 'validation'),
  });
}
