import { expect, test } from 'vitest';
import { sandboxed } from './sandbox.ts';

test('headers of a pod that change the state of the browser are removed, and the page has no origin', () => {
  const headers = {
    'Set-Cookie': ['__Secure-coracle-6443=x; Path=/console/'],
    'Clear-Site-Data': '"*"',
    'Alt-Svc': 'h3="evil.example:443"',
    'Strict-Transport-Security': 'max-age=1',
    'Service-Worker-Allowed': '/',
    'Content-Security-Policy': "default-src 'none'",
    'Access-Control-Allow-Credentials': 'true',
    Refresh: '0;url=/console/',
    Link: '</console/session>; rel=preload',
    Location: '/console/preview/T/next',
    ETag: '"1"',
  };
  const reply = sandboxed({ type: 'raw', code: 200, contentType: 'text/html', headers, body: '<script>' });
  if (reply.type === 'hijacked') throw new Error('hijacked');
  expect(reply.headers).toEqual({
    Location: '/console/preview/T/next',
    ETag: '"1"',
    'Content-Security-Policy': 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads',
    'Referrer-Policy': 'no-referrer',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
    'X-Frame-Options': 'DENY',
    'Access-Control-Allow-Origin': '*',
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Cache-Control': 'no-store',
  });
});
