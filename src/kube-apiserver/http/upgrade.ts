// Writes responses to failed upgrade requests directly to the socket.

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';

export function respondToUpgrade(request: ApiRequest, socket: Duplex, reply: Reply): void {
  if (reply.type === 'hijacked') return;
  const body =
    reply.type === 'object'
      ? JSON.stringify(reply.object)
      : reply.type === 'raw' && typeof reply.body === 'string'
        ? reply.body
        : '';
  const code = reply.type === 'watch' || reply.type === 'list' ? 400 : reply.code;
  const lines = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}`,
    `Audit-Id: ${request.server.random.uuid()}`,
    'Cache-Control: no-cache, private',
    `Content-Type: ${reply.type === 'raw' ? reply.contentType : 'application/json'}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ];
  socket.end(lines.join('\r\n'));
}
