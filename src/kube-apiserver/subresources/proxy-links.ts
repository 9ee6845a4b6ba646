// Links of a proxied backend lead back through the proxy: its redirects, and the path in X-Forwarded-Uri.
// https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/

import { posix } from 'node:path';

/** The backend of a proxied response, and its location for the client. */
export interface ProxiedPage {
  /** The path of the proxy itself, up to and with `/proxy`. */
  readonly prefix: string;
  /** Host and port of the backend. */
  readonly backend: string;
  /** The Host header of the client. */
  readonly asked: string;
}

/** X-Forwarded-Uri: the proxy's path with that of the request behind it. `path` is escaped. */
export function forwardedUri(prefix: string, path: string): string {
  const joined = posix.join(prefix, escapedPath(path));
  return path.endsWith('/') && !joined.endsWith('/') ? `${joined}/` : joined;
}

interface Url {
  readonly scheme: string;
  readonly authority: string | undefined;
  readonly path: string;
  /** Query and fragment, with their marks. */
  readonly rest: string;
}

/** Undefined for a text that Go's net/url refuses. */
function parseUrl(text: string): Url | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
  if (/[\x00-\x1f\x7f]/.test(text) || text.startsWith(':')) return undefined;
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(text);
  if (!match) return undefined;
  const [, scheme = '', authority, path, rest]: readonly (string | undefined)[] = match;
  if (/%(?![0-9a-fA-F]{2})/.test(path ?? '') || (authority && /:[^\]:@]*[^\d\]:@][^\]:@]*$/.test(authority)))
    return undefined;
  if (!scheme && authority === undefined && /^[^/]*:/.test(path ?? '')) return undefined;
  return { scheme: scheme.toLowerCase(), authority, path: path ?? '', rest: rest ?? '' };
}

const hostOf = (authority: string): string => authority.slice(authority.lastIndexOf('@') + 1);

/**
 * The link for the client: an absolute path on the backend's host gets the proxy's prefix, other links stay. Undefined
 * for an invalid link.
 */
export function rewriteLink(link: string, { prefix, backend, asked }: ProxiedPage): string | undefined {
  const url = parseUrl(link);
  if (!url) return undefined;
  const host = hostOf(url.authority ?? '');
  if ((host && host !== backend && host !== asked) || !url.path.startsWith('/')) return textOf(url);
  // A host that the client sent is kept; the backend's address is useless to a client.
  const kept = host && host === asked ? url : { ...url, scheme: '', authority: undefined };
  if (decoded(url.path).startsWith(prefix)) return textOf(kept);
  // Dots cannot lead above the backend's root.
  const joined = posix.join(prefix, posix.normalize(decoded(url.path)));
  const path = url.path.endsWith('/') && !joined.endsWith('/') ? `${joined}/` : joined;
  return textOf({ ...kept, path: escaped(path) });
}

function textOf({ scheme, authority, path, rest }: Url): string {
  const before = `${scheme && `${scheme}:`}${authority === undefined ? '' : `//${authority}`}`;
  const isOpaque = scheme && authority === undefined && !path.startsWith('/');
  return `${before}${isOpaque ? path : escapedPath(path)}${rest}`;
}

/** The original path if it was escaped correctly, otherwise the path escaped again. */
const escapedPath = (path: string): string =>
  /^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/.test(path) ? path : escaped(decoded(path));

/** Each character is one byte. */
const decoded = (path: string): string =>
  Buffer.from(path, 'utf8')
    .toString('latin1')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

const escaped = (path: string): string =>
  path.replace(
    /[^A-Za-z0-9\-_.~$&+,/:;=@]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
