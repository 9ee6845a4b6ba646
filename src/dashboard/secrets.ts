// Secrets of links and sessions: unpredictable for every seed.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 bits, in characters that a URL, a cookie and a WebSocket protocol can hold. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** The form in which a secret is kept: a look-up by it takes the same time for every guess. */
export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export const isSameSecret = (digest: string, secret: string): boolean =>
  timingSafeEqual(Buffer.from(digest), Buffer.from(digestOf(secret)));
