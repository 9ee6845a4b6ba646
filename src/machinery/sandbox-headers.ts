// Headers for pages of pods that a browser shows below the console's path. The content is hostile: it must not have the
// origin of the console, and its headers must not change the browser's state for the host (cookies, storage, redirected
// services).

/** Headers of the pod that reach the browser. */
const passed = new Set([
  ...['accept-ranges', 'content-disposition', 'content-encoding', 'content-language', 'content-length'],
  ...['content-range', 'etag', 'last-modified', 'location', 'retry-after', 'vary', 'x-content-type-options'],
]);

const added: Readonly<Record<string, string>> = {
  // Without `allow-same-origin`, the document has an origin that no other document has.
  'Content-Security-Policy': 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'X-Frame-Options': 'DENY',
  // Requests of the document itself are those of another origin. They have no credentials: the address allows them.
  'Access-Control-Allow-Origin': '*',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Cache-Control': 'no-store',
};

/** `Content-Type` is not among the headers here. */
export function sandboxHeaders<Value>(headers: Readonly<Record<string, Value>>): Record<string, Value | string> {
  const kept = Object.entries(headers).filter(([name]) => passed.has(name.toLowerCase()));
  return { ...Object.fromEntries(kept), ...added };
}
