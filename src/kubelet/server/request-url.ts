import type { IncomingMessage } from 'node:http';

/** Undefined for a target that is no URL. A path that begins with two slashes has no host. */
export function urlOf({ url = '/' }: Pick<IncomingMessage, 'url'>): URL | undefined {
  return URL.parse(url.startsWith('/') ? `https://kubelet${url}` : url) ?? undefined;
}
