// The user of a container's processes. The image's files are read only for names, and for the group of a numeric user.

import type { ContainerSecurity } from '../../interface.ts';
import { RuntimeError } from '../../runtime-error.ts';

interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/** Texts of the image's /etc/passwd and /etc/group. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

type Wanted = Pick<ContainerSecurity, 'runAsUser' | 'runAsGroup' | 'supplementalGroups' | 'supplementalGroupsPolicy'>;

const mostId = 2 ** 31 - 1;

export function resolveUser(accounts: Accounts, imageUser: string, security: Wanted): User {
  const [userPart = '', groupPart] = security.runAsUser === undefined ? imageUser.split(':') : [];
  const passwd = entries(accounts.passwd);
  const group = entries(accounts.group);
  const number = security.runAsUser ?? numberOf(userPart || '0');
  const account =
    number === undefined
      ? passwd.find(([name]) => name === userPart)
      : passwd.find(([, , uid]) => numberOf(uid) === number);
  if (number === undefined && !account)
    throw new RuntimeError('create', `unable to find user ${userPart}: no matching entries in passwd file`);
  const uid = checked(number ?? numberOf(account?.[2]), 'user', userPart);
  const gid = checked(
    security.runAsGroup ?? groupOf(groupPart, group) ?? numberOf(account?.[3]) ?? 0,
    'group',
    groupPart ?? userPart,
  );
  const member = account && security.supplementalGroupsPolicy !== 'Strict' ? membershipsOf(account[0], group) : [];
  const groups = [...new Set([gid, ...member, ...(security.supplementalGroups ?? [])])];
  return { uid, gid, groups, home: account?.[5] || '/' };
}

/** Undefined when the text is not a plain decimal number. */
const numberOf = (text?: string): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

function groupOf(name: string | undefined, groups: readonly string[][]): number | undefined {
  if (!name) return undefined;
  const number = numberOf(name);
  if (number !== undefined) return number;
  const group = groups.find(([candidate]) => candidate === name);
  if (!group) throw new RuntimeError('create', `unable to find group ${name}: no matching entries in group file`);
  return numberOf(group[2]);
}

const membershipsOf = (name: string, groups: readonly string[][]): number[] =>
  groups.filter(([, , , members]) => members?.split(',').includes(name)).flatMap(([, , gid]) => numberOf(gid) ?? []);

/** The kernel would truncate a larger number to another id. */
function checked(id: number | undefined, kind: string, name: string): number {
  if (id !== undefined && id <= mostId) return id;
  throw new RuntimeError('create', `invalid ${kind} id of ${JSON.stringify(name)}: must be between 0 and ${mostId}`);
}

const entries = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
