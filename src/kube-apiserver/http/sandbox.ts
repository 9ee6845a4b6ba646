// Answers of pods that a browser shows below the console's path.

import { sandboxHeaders } from '../../machinery/sandbox-headers.ts';
import type { Reply } from '../request/reply.ts';

export const sandboxed = (reply: Reply): Reply =>
  reply.type === 'hijacked' ? reply : { ...reply, headers: sandboxHeaders(reply.headers ?? {}) };
