// Names of cipher suites: Go has those of IANA, OpenSSL its own.

import { getCiphers } from 'node:tls';
import { SettingError } from '../settings/settings.ts';

/** TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256. */
function openSslName(name: string): string {
  return name
    .replace(/^TLS_/, '')
    .replace('_WITH_', '_')
    .replace(/^RSA_/, '')
    .replace(/AES_(\d+)/, 'AES$1')
    .replace(/_CBC_SHA$/, '_SHA')
    .replace(/_CBC_SHA256$/, '_SHA256')
    .replace(/(CHACHA20_POLY1305)_SHA256$/, '$1')
    .replaceAll('_', '-');
}

/** Those of TLS 1.3 are always on, as in Go. Undefined: Node's own choice. Throws SettingError. */
export function openSslCiphers(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const supported = new Set(getCiphers());
  const fixed = getCiphers()
    .filter((name) => name.startsWith('tls_'))
    .map((name) => name.toUpperCase());
  const chosen = names.filter((name) => !fixed.includes(name)).map((name) => ({ name, openSsl: openSslName(name) }));
  const unknown = chosen.find(({ openSsl }) => !supported.has(openSsl.toLowerCase()));
  if (unknown) throw new SettingError(`--tls-cipher-suites: ${unknown.name} is not supported: remove it`);
  return [...fixed, ...chosen.map(({ openSsl }) => openSsl)].join(':');
}
