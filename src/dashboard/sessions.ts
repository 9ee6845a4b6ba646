// Sessions of signed-in browsers, and the one-time links that open them. In memory alone: a restart ends all.
//
// A session has two secrets. The cookie is sent by the browser, also to other ports of the host. The key is kept by the
// page, whose origin includes the port, and is sent in a header. A request needs both: no other site can send it, and no
// other server on the host can take the session over.

import type { Clock, Timer } from '../machinery/time/clock.ts';
import { digestOf, isSameSecret, newSecret } from './secrets.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** The rights of a session: those of a user, or of a bearer token that is checked with each request. */
export type Identity = { readonly user: User } | { readonly token: string };

export interface Session {
  readonly identity: Identity;
  readonly userName: string;
  /** Milliseconds since the epoch: it ends then, however much it is used. */
  readonly expiresMs: number;
  /** Aborts when the session ends. */
  readonly ended: AbortSignal;
}

export interface OpenedSession {
  readonly session: Session;
  readonly cookie: string;
  readonly key: string;
}

interface Entry extends Session {
  readonly keyDigest: string;
  readonly end: AbortController;
  readonly timer: Timer;
  lastUsedMs: number;
}

interface Link {
  readonly user: User;
  readonly expiresMs: number;
}

const linkMs = 15 * 60_000;
const longestMs = 24 * 3_600_000;
const idleMs = 8 * 3_600_000;
/** Beyond these, the oldest ends. */
const mostSessions = 1_000;
const mostLinks = 100;

export class Sessions {
  readonly #clock: Clock;
  readonly #links = new Map<string, Link>();
  readonly #sessions = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The code of a link that opens one session of the user. */
  createLink(user: User): { code: string; expiresMs: number } {
    const code = newSecret();
    const expiresMs = this.#clock.now() + linkMs;
    this.#links.set(digestOf(code), { user, expiresMs });
    for (const digest of this.#links.keys()) if (this.#links.size > mostLinks) this.#links.delete(digest);
    return { code, expiresMs };
  }

  /** Undefined: the code is wrong, too old, or was used before. */
  redeem(code: string): OpenedSession | undefined {
    const digest = digestOf(code);
    const link = this.#links.get(digest);
    this.#links.delete(digest);
    if (!link || link.expiresMs <= this.#clock.now()) return undefined;
    return this.open({ user: link.user }, link.user.name);
  }

  open(identity: Identity, userName: string): OpenedSession {
    const [cookie, key] = [newSecret(), newSecret()];
    const digest = digestOf(cookie);
    const now = this.#clock.now();
    const end = new AbortController();
    const session: Entry = {
      ...{ identity, userName, end, ended: end.signal, lastUsedMs: now, keyDigest: digestOf(key) },
      expiresMs: now + longestMs,
      timer: this.#clock.after(longestMs, () => this.#end(digest), { background: true }),
    };
    this.#sessions.set(digest, session);
    for (const oldest of this.#sessions.keys()) if (this.#sessions.size > mostSessions) this.#end(oldest);
    return { session, cookie, key };
  }

  /** Undefined: there is none with both secrets, or it has ended. */
  find(cookie: string | undefined, key: string | undefined): Session | undefined {
    if (!cookie || !key) return undefined;
    const digest = digestOf(cookie);
    const entry = this.#sessions.get(digest);
    if (!entry || !isSameSecret(entry.keyDigest, key)) return undefined;
    const now = this.#clock.now();
    if (entry.expiresMs <= now || entry.lastUsedMs + idleMs <= now) {
      this.#end(digest);
      return undefined;
    }
    entry.lastUsedMs = now;
    return entry;
  }

  close(cookie: string): void {
    this.#end(digestOf(cookie));
  }

  closeAll(): void {
    for (const digest of this.#sessions.keys()) this.#end(digest);
    this.#links.clear();
  }

  #end(digest: string): void {
    const entry = this.#sessions.get(digest);
    if (!entry) return;
    this.#sessions.delete(digest);
    entry.timer.cancel();
    entry.end.abort();
  }
}
