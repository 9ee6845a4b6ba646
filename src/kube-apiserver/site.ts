// Pages beside the API, on the same port: the console. Its requests for the API enter the pipeline as the user of a
// session, which the site identifies.

import type { Page, PageRequest } from '../machinery/pages.ts';
import type { UserInfo } from './request/user.ts';

/** A request for the API: it continues at `path`, without the headers that belong to the site. */
export interface SiteForward {
  readonly type: 'forward';
  readonly path: string;
  /** The user, or the bearer token that authenticates as usual. */
  readonly as: { readonly user: UserInfo } | { readonly token: string };
  /** WebSocket protocols that remain. */
  readonly protocols?: string;
  /** Aborts at the end of the session: the response ends with it. */
  readonly ends: AbortSignal;
  /** For the proxy of a pod or service: its page is shown in a sandbox, and its links lead below this path. */
  readonly preview?: string;
}

export interface Site {
  /** Such as /console: the site owns this path and those below it. */
  readonly prefix: string;
  answer(request: PageRequest): Promise<Page | SiteForward>;
}

/** The site of a server, once it has one. */
export interface SiteSlot {
  current?: Site;
}

export const owns = (site: Site | undefined, path: string): site is Site =>
  site !== undefined && path.startsWith(site.prefix) && ['/', undefined].includes(path[site.prefix.length]);
