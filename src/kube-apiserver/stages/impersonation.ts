// Impersonate-User and its companions.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

import { badRequest } from '../../api/api.ts';
import { unescaped } from '../../machinery/text/percent.ts';
import { requestMetrics } from '../metrics/request-metrics.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { unguessed } from '../status.ts';
import { attributesOf } from './authorize.ts';
import { impersonatedUser, type WantedUser } from './impersonation-modes.ts';

const prefix = 'impersonate-';
const extraPrefix = 'impersonate-extra-';

export const impersonate: Stage = async (request, next) => {
  if (!asks(request)) return next();
  const { clock, metrics, authorizers } = request.server;
  const startMs = clock.monotonic();
  const wanted = wantedUser(request);
  if (wanted) request.user = await impersonatedUser(authorizers, wanted, await attributesOf(request));
  requestMetrics(metrics).filters.impersonation.observe((clock.monotonic() - startMs) / 1_000);
  return next();
};

function asks({ headers }: ApiRequest): boolean {
  for (const header in headers) if (header.startsWith(prefix)) return true;
  return false;
}

/** The user in the headers. Undefined without any impersonation header. */
function wantedUser(request: ApiRequest): WantedUser | undefined {
  const values = impersonationHeaders(request);
  const first = (header: string) => values.get(header)?.[0] ?? '';
  const extra = extraOf(values);
  const wanted = {
    name: first('impersonate-user'),
    uid: first('impersonate-uid'),
    groups: values.get('impersonate-group') ?? [],
    extra: extra ?? {},
  };
  if (wanted.name) return wanted;
  if (!wanted.uid && !wanted.groups.length && !extra) return undefined;
  throw unguessed(badRequest(`requested ${goUser(wanted, extra)} without impersonating a user name`));
}

/** Each header line is one value, with or without commas. */
function impersonationHeaders({ headers, rawHeaders }: ApiRequest): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const add = (header: string, value: string) => {
    const name = header.toLowerCase();
    if (!name.startsWith(prefix)) return;
    const earlier = values.get(name);
    if (earlier) earlier.push(utf8(value));
    else values.set(name, [utf8(value)]);
  };
  if (rawHeaders) for (let i = 0; i + 1 < rawHeaders.length; i += 2) add(rawHeaders[i], rawHeaders[i + 1]);
  else for (const [header, value] of Object.entries(headers)) if (value !== undefined) add(header, value);
  return values;
}

/** Node reads the bytes of a header as Latin-1, clients send UTF-8. */
const utf8 = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');

function extraOf(values: ReadonlyMap<string, string[]>): Record<string, string[]> | undefined {
  let extra: Record<string, string[]> | undefined;
  for (const [header, list] of values) {
    if (!header.startsWith(extraPrefix)) continue;
    extra ??= Object.create(null) as Record<string, string[]>; // clients choose the keys: no prototype
    const key = unescaped(header.slice(extraPrefix.length));
    extra[key] = [...(extra[key] ?? []), ...list];
  }
  return extra;
}

/** The value as Go's %#v prints it. */
function goUser({ name, uid, groups }: WantedUser, extra: Record<string, string[]> | undefined): string {
  const list = (values: readonly string[]) => `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
  const fields = [
    `Name:${JSON.stringify(name)}`,
    `UID:${JSON.stringify(uid)}`,
    `Groups:${groups.length ? list(groups) : '[]string(nil)'}`,
    `Extra:map[string][]string${
      extra
        ? `{${Object.keys(extra)
            .sort()
            .map((key) => `${JSON.stringify(key)}:${list(extra[key])}`)
            .join(', ')}}`
        : '(nil)'
    }`,
  ];
  return `&user.DefaultInfo{${fields.join(', ')}}`;
}
