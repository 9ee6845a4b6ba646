import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/** Whether nothing can be sent any more. A response of HTTP/2 has no `destroyed`, its stream has. */
export const isGone = (response: ServerResponse | Http2ServerResponse): boolean =>
  'stream' in response ? response.stream.destroyed || response.stream.closed : response.destroyed;
