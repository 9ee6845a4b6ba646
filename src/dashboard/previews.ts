// Pages that pods and services serve, opened from the console. A page below PREFIX/preview/TICKET/ comes from a pod, so it
// is not trusted: it runs in a sandbox without the origin of the console (CSP `sandbox`), gets no cookie and sets none. The
// ticket in its address replaces the session's secrets: it leads to one port of one object, as the user of the session.

import type { Page } from '../machinery/pages.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { failure, json, page } from './http.ts';
import { digestOf, newSecret } from './secrets.ts';
import type { Session } from './sessions.ts';

interface PreviewTarget {
  readonly resource: 'pods' | 'services';
  readonly scheme: 'http' | 'https';
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}

interface Ticket {
  readonly target: PreviewTarget;
  readonly session: Session;
  readonly expiresMs: number;
}

interface PreviewForward {
  readonly path: string;
  readonly session: Session;
  /** The place of the page in the console: its links lead there. */
  readonly place: string;
}

const ticketMs = 8 * 3_600_000;
/** Beyond these, the oldest ends. */
const most = 200;

export class Previews {
  readonly #clock: Clock;
  readonly #root: string;
  readonly #tickets = new Map<string, Ticket>();

  constructor(clock: Clock, prefix: string) {
    this.#clock = clock;
    this.#root = `${prefix}/preview/`;
  }

  open(session: Session, asked: unknown): Page {
    const target = targetIn(asked);
    if (!target) return failure(400, 'BadRequest', 'a preview needs resource, namespace, name, port and scheme');
    const ticket = newSecret();
    this.#tickets.set(digestOf(ticket), { target, session, expiresMs: this.#clock.now() + ticketMs });
    for (const digest of this.#tickets.keys()) if (this.#tickets.size > most) this.#tickets.delete(digest);
    return json(201, { path: `${this.#root}${ticket}/` });
  }

  /** `rest`: the path below PREFIX/preview/. */
  find(rest: string, method: string, isPreflight: boolean): PreviewForward | Page {
    const slash = rest.indexOf('/');
    const ticket = slash < 0 ? rest : rest.slice(0, slash);
    const digest = digestOf(ticket);
    const found = this.#tickets.get(digest);
    if (!found || found.expiresMs <= this.#clock.now() || found.session.ended.aborted) {
      this.#tickets.delete(digest);
      return failure(404, 'NotFound', 'this preview has ended: open it again from the console');
    }
    if (slash >= 0 && leavesItsPlace(rest.slice(slash)))
      return failure(400, 'BadRequest', 'the path of a preview has no . and .. parts');
    const place = `${this.#root}${ticket}`;
    if (slash < 0) return page(308, 'text/plain', '', { Location: `${place}/` });
    // The page has no origin: its own requests are those of a stranger, and are allowed by the ticket.
    if (method === 'OPTIONS' && isPreflight) return page(204, 'text/plain', '', preflight);
    return { path: pathOf(found.target, rest.slice(slash)), session: found.session, place };
  }
}

/** A server on the way may decode such parts, and then the path leads to another object than that of the ticket. */
function leavesItsPlace(path: string): boolean {
  try {
    return decodeURIComponent(path)
      .split(/[/\\]/)
      .some((part) => part === '.' || part === '..');
  } catch {
    return true; // no valid path
  }
}

const preflight = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Max-Age': '600',
};

const pathOf = ({ resource, scheme, namespace, name, port }: PreviewTarget, rest: string): string =>
  `/api/v1/namespaces/${namespace}/${resource}/${scheme}:${name}:${port}/proxy${rest}`;

const label = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

function targetIn(asked: unknown): PreviewTarget | undefined {
  if (typeof asked !== 'object' || asked === null) return undefined;
  const { resource, scheme, namespace, name, port } = asked as Readonly<Record<string, unknown>>;
  if (resource !== 'pods' && resource !== 'services') return undefined;
  if (scheme !== 'http' && scheme !== 'https') return undefined;
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof port !== 'string') return undefined;
  if (![namespace, name, port].every((text) => label.test(text))) return undefined;
  return { resource, scheme, namespace, name, port };
}
