// Responses of the console, with the headers that protect its pages; cookies.

import type { Page, PageRequest } from '../machinery/pages.ts';

/** For every response: nothing may embed, sniff or link back to it. */
const protection = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};

export const page = (
  code: number,
  contentType: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Page => ({
  type: 'page',
  code,
  body,
  headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store', ...protection, ...headers },
});

export const json = (code: number, value: object, headers: Readonly<Record<string, string>> = {}): Page =>
  page(code, 'application/json', JSON.stringify(value), headers);

/** Errors have the form of the API's, so that the page reads one form. */
export const failure = (code: number, reason: string, message: string): Page =>
  json(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code });

/**
 * Scripts come from files of the console alone; text never becomes markup (trusted types). Styles that a library adds
 * while it runs need the nonce of the page.
 */
export const contentSecurityPolicy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types coracle',
  ].join('; ');

/** Whether a page of the console sent it. Browsers set these headers, and pages cannot. */
export function isFromConsole({ headers }: Pick<PageRequest, 'headers'>): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin } = headers;
  return origin === undefined || origin.replace(/^https?:\/\//, '') === hostOf(headers);
}

const hostOf = (headers: PageRequest['headers']): string => headers[':authority'] ?? headers['host'] ?? '';

/** Browsers send cookies of a host to all its ports: each port has its own name. */
const cookieName = (headers: PageRequest['headers']): string =>
  `__Secure-coracle-${/:(\d{1,5})$/.exec(hostOf(headers))?.[1] ?? '443'}`;

export function cookieOf(headers: PageRequest['headers']): string | undefined {
  const name = `${cookieName(headers)}=`;
  const pair = (headers['cookie'] ?? '').split(';').find((text) => text.trim().startsWith(name));
  return pair?.trim().slice(name.length);
}

/** A value of '' removes the cookie. */
export const setCookie = (headers: PageRequest['headers'], value: string, prefix: string, seconds: number): string =>
  `${cookieName(headers)}=${value}; Path=${prefix}/; Max-Age=${value ? seconds : 0}; HttpOnly; Secure; SameSite=Strict`;
