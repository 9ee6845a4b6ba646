// Impersonate-User and its companions.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

import { badRequest, forbidden, internalError } from '../api/api.ts';
import { decide } from './authorization.ts';
import type { ApiRequest, Stage, UserInfo } from './request.ts';

export const impersonate: Stage = async (request, next) => {
  const { headers } = request;
  const name = headers['impersonate-user'];
  let others: string[] | undefined;
  for (const header in headers)
    if (header.startsWith('impersonate-') && header !== 'impersonate-user') (others ??= []).push(header);
  if (!name && !others) return next();
  if (!name) throw internalError(`requested [${others?.join(' ')}] without impersonating a user`);
  const wanted = wantedUser(name, request);
  await mayImpersonate(request, wanted);
  request.user = wanted;
  return next();
};

function wantedUser(name: string, { headers }: ApiRequest): UserInfo {
  const asked = headers['impersonate-group']?.split(/,\s*/).filter(Boolean) ?? [];
  const groups = [...asked];
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account && !asked.length) groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  if (name === 'system:anonymous') {
    if (!groups.includes('system:unauthenticated')) groups.push('system:unauthenticated');
  } else if (!groups.includes('system:authenticated') && !groups.includes('system:unauthenticated'))
    groups.push('system:authenticated');
  const extra: Record<string, string[]> = {};
  for (const [header, value] of Object.entries(headers))
    if (header.startsWith('impersonate-extra-') && value !== undefined)
      extra[decodeURIComponent(header.slice('impersonate-extra-'.length))] = value.split(/,\s*/);
  const uid = headers['impersonate-uid'];
  return { name, groups, ...(uid && { uid }), ...(Object.keys(extra).length && { extra }) };
}

/** Each name, group, uid and extra value needs the verb `impersonate` of its own. */
async function mayImpersonate(request: ApiRequest, wanted: UserInfo): Promise<void> {
  const { user, server, headers, info } = request;
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(wanted.name);
  const asked: { group: string; resource: string; namespace: string; name: string; subresource: string }[] = [
    account
      ? { group: '', resource: 'serviceaccounts', namespace: account[1], name: account[2], subresource: '' }
      : { group: '', resource: 'users', namespace: '', name: wanted.name, subresource: '' },
  ];
  for (const group of headers['impersonate-group']?.split(/,\s*/).filter(Boolean) ?? [])
    asked.push({ group: '', resource: 'groups', namespace: '', name: group, subresource: '' });
  if (wanted.uid)
    asked.push({ group: 'authentication.k8s.io', resource: 'uids', namespace: '', name: wanted.uid, subresource: '' });
  for (const [key, values] of Object.entries(wanted.extra ?? {}))
    for (const value of values)
      asked.push({
        group: 'authentication.k8s.io',
        resource: 'userextras',
        namespace: '',
        name: value,
        subresource: key,
      });
  for (const what of asked) {
    const version = 'v1';
    const { decision, reason } = await decide(server.authorizers, {
      ...info,
      ...what,
      version,
      isResource: true,
      verb: 'impersonate',
      rest: '',
      user,
    });
    if (decision === 'allow') continue;
    const full = what.subresource ? `${what.resource}/${what.subresource}` : what.resource;
    const where = what.namespace ? ` in the namespace ${JSON.stringify(what.namespace)}` : ' at the cluster scope';
    throw forbidden(
      what,
      what.name,
      `User ${JSON.stringify(user.name)} cannot impersonate resource ${JSON.stringify(full)} in API group ${JSON.stringify(what.group)}${where}${reason ? `: ${reason}` : ''}`,
    );
  }
}

export { badRequest };
