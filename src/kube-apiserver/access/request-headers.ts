// Users named by a proxy in front of this server, such as another API server that aggregates it.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#authenticating-proxy

import { unauthorized } from '../../api/api.ts';
import { unescaped } from '../../machinery/text/percent.ts';
import type { RequestHeaderNames } from '../environment.ts';
import { headerValues } from '../request/connection.ts';
import type { Authenticator } from './authentication.ts';

/** The header names, published in the ConfigMap extension-apiserver-authentication. */
export const requestHeaderNames: RequestHeaderNames = {
  username: ['X-Remote-User'],
  uid: ['X-Remote-Uid'],
  group: ['X-Remote-Group'],
  extraPrefix: ['X-Remote-Extra-'],
};

/** Only clients with a certificate of the front proxy's CA are trusted; the headers of others are ignored. */
export const requestHeaders: Authenticator = {
  name: 'request-header',
  async authenticate(request) {
    const { connection, server } = request;
    if (connection?.frontProxy === undefined) return undefined;
    const { allowedNames: allowed = [], headers = requestHeaderNames } = server.config.frontProxy ?? {};
    if (allowed.length > 0 && !allowed.includes(connection.frontProxy)) throw unauthorized();
    const values = (name: string) => headerValues(request, name.toLowerCase()).map(utf8);
    const first = (names: readonly string[]) => names.map((name) => values(name)[0]).find(Boolean);
    const name = first(headers.username);
    if (!name) throw unauthorized();
    const uid = first(headers.uid);
    const extra: Record<string, string[]> = Object.create(null); // clients choose the keys: no prototype
    for (const prefix of headers.extraPrefix.map((text) => text.toLowerCase()))
      for (const header of Object.keys(request.headers))
        if (header.startsWith(prefix)) extra[unescaped(header.slice(prefix.length))] = values(header);
    return {
      name,
      ...(uid && { uid }),
      groups: withAuthenticated(name, headers.group.flatMap(values)),
      ...(Object.keys(extra).length > 0 && { extra }),
    };
  },
};

function withAuthenticated(name: string, groups: readonly string[]): readonly string[] {
  const hasSystemGroup = groups.includes('system:authenticated') || groups.includes('system:unauthenticated');
  return hasSystemGroup || name === 'system:anonymous' ? groups : [...groups, 'system:authenticated'];
}

/** Header values are bytes, one per character. */
const utf8 = (value: string): string => Buffer.from(value, 'latin1').toString();
