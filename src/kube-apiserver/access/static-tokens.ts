// Bearer tokens from a file. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file

import { createHash } from 'node:crypto';
import type { UserInfo } from '../request/user.ts';
import { type Authenticator, tokenAuthenticator } from './authentication.ts';
import { AccessConfigurationError } from './configuration-file.ts';

/** Lines of `token,user,uid`, and in a fourth column the groups, separated by commas. Throws AccessConfigurationError. */
export function staticTokens(csv: string): Authenticator {
  const users = new Map<string, UserInfo>();
  for (const [index, fields] of recordsOf(csv).entries()) {
    const at = `record ${index + 1}`;
    if (fields.length < 3)
      throw new AccessConfigurationError(`${at} must have at least 3 columns (token, user name, user uid)`);
    const [token, name, uid, groups] = fields;
    if (!token) throw new AccessConfigurationError(`${at} has an empty token`);
    if (!name) throw new AccessConfigurationError(`${at} has no user name`);
    const given = (groups ?? '').split(',').filter(Boolean);
    users.set(digest(token), { name, ...(uid && { uid }), groups: [...given, 'system:authenticated'] });
  }
  // Looked up by digest, so that the time does not depend on the guessed prefix.
  return tokenAuthenticator('token-file', async (token) => users.get(digest(token)));
}

const digest = (token: string) => createHash('sha256').update(token).digest('hex');

/** RFC 4180: fields may be quoted, and hold commas, quotes and line ends then. */
function recordsOf(csv: string): string[][] {
  const records: string[][] = [];
  let fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  while (pattern.lastIndex < csv.length) {
    const at = pattern.lastIndex;
    const found = pattern.exec(csv);
    if (!found)
      throw new AccessConfigurationError(
        `cannot be read at "${csv.slice(at, at + 20)}": quotes must enclose a whole field`,
      );
    fields.push((found[1]?.replaceAll('""', '"') ?? found[2] ?? '').trim());
    if (found[3] === ',') continue;
    if (fields.length > 1 || fields[0]) records.push(fields);
    fields = [];
  }
  return records;
}
