import { badRequest, timeout } from '../../api/api.ts';
import { parseGoDuration } from '../../machinery/time/duration.ts';
import { requestMetrics, seriesOf } from '../metrics/request-metrics.ts';
import { Deadlines } from '../request/deadlines.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { isLongRunning } from '../request/request-info.ts';
import type { Server } from '../server.ts';

/**
 * Bounds the handling of a request: by `timeout` of its query, and by --request-timeout. Work that goes on afterwards
 * gets the aborted signal, and its result is dropped.
 */
export const deadline: Stage = async (request, next) => {
  const { server, connection } = request;
  // The server's own components end their requests themselves.
  if (!connection || connection.upgrade || mayLast(request)) return next();
  const most = server.config.requestTimeoutMs;
  const wanted = wantedMs(request.query);
  return within(request, wanted !== undefined && wanted > 0 && wanted < most ? wanted : undefined, next);
};

const mayLast = ({ info, path }: ApiRequest): boolean =>
  info.isResource ? isLongRunning(info) : path.startsWith('/debug/pprof/');

function wantedMs(query: URLSearchParams): number | undefined {
  const text = query.size ? query.get('timeout') : null;
  if (!text) return undefined;
  const { ms, fault } = parseGoDuration(text);
  if (fault !== undefined) throw badRequest(`invalid timeout specified in the request URL - ${fault}`);
  return ms;
}

const common = new WeakMap<Server, Deadlines>();

function commonOf(server: Server): Deadlines {
  let deadlines = common.get(server);
  if (!deadlines) common.set(server, (deadlines = new Deadlines(server.clock, server.config.requestTimeoutMs)));
  return deadlines;
}

/** `ownMs`: undefined for the limit of all requests. */
function within(request: ApiRequest, ownMs: number | undefined, next: () => Promise<Reply>): Promise<Reply> {
  const { server } = request;
  return new Promise<Reply>((resolve, reject) => {
    let isLate = false;
    const expire = () => {
      isLate = true;
      seriesOf(request, false).terminated(504);
      reject(timeout('request did not complete within the allotted timeout'));
      request.giveUp?.();
    };
    const end = ownMs === undefined ? commonOf(server).start(expire) : timerOf(server, ownMs, expire);
    const ended = (status: 'ok' | 'error') => {
      end();
      if (isLate) requestMetrics(server.metrics).postTimeout.add(1, { source: 'timeout-handler', status });
    };
    next().then(
      (reply) => {
        ended('ok');
        resolve(reply);
      },
      (error) => {
        ended('error');
        reject(error);
      },
    );
  });
}

function timerOf({ clock }: Server, ms: number, expire: () => void): () => void {
  const timer = clock.after(ms, expire, { background: true });
  return () => timer.cancel();
}
