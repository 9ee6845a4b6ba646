// The rules of impersonation: the constrained modes, which look at the request as well, and the legacy mode.
// https://kep.k8s.io/5284

import { nodeOfUser } from '../../api/api.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, domainPrefixedPathFaults } from '../../machinery/text/names.ts';
import { type Attributes, type Authorizer, decide, refusal } from '../access/authorization.ts';
import type { UserInfo } from '../request/user.ts';

/** The user in the headers, before additions. */
export interface WantedUser {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

interface Mode {
  /** '' for the mode of old. */
  readonly name: string;
  /** Whether the mode applies to this user. */
  fits(wanted: WantedUser, requestor: UserInfo): boolean;
}

const onlyName = ({ uid, groups, extra }: WantedUser) => !uid && !groups.length && !Object.keys(extra).length;
const nodeKey = 'authentication.kubernetes.io/node-name';

/** In the order in which they are tried. */
const modes: readonly Mode[] = [
  {
    name: 'associated-node',
    fits: (wanted, requestor) =>
      onlyName(wanted) &&
      nodeName(wanted.name) !== undefined &&
      account(requestor.name) !== undefined &&
      requestor.extra?.[nodeKey]?.length === 1 &&
      requestor.extra[nodeKey][0] === nodeName(wanted.name),
  },
  { name: 'arbitrary-node', fits: (wanted) => onlyName(wanted) && nodeName(wanted.name) !== undefined },
  { name: 'serviceaccount', fits: (wanted) => onlyName(wanted) && account(wanted.name) !== undefined },
  { name: 'user-info', fits: ({ name }) => nodeName(name) === undefined && account(name) === undefined },
  { name: '', fits: () => true },
];

/** The mode that last succeeded, by requestor: it is tried first, and its refusal is the one that is shown. */
const lastModes = new WeakMap<readonly Authorizer[], Map<string, Mode>>();
const mostRequestors = 10_000;

/** The user to act as. Throws the refusal of the first mode when none allows it. */
export async function impersonatedUser(
  authorizers: readonly Authorizer[],
  wanted: WantedUser,
  attributes: Attributes,
): Promise<UserInfo> {
  let last = lastModes.get(authorizers);
  if (!last) lastModes.set(authorizers, (last = new Map()));
  const requestor = attributes.user.name;
  const first = last.get(requestor);
  const inOrder = first ? [first, ...modes.filter((mode) => mode !== first)] : modes;
  let refused: unknown;
  for (const mode of inOrder) {
    if (!mode.fits(wanted, attributes.user)) continue;
    try {
      const user = await check(mode, authorizers, wanted, attributes);
      if (last.size >= mostRequestors) last.clear();
      last.set(requestor, mode);
      return user;
    } catch (error) {
      refused ??= error;
    }
  }
  throw refused;
}

async function check(
  mode: Mode,
  authorizers: readonly Authorizer[],
  wanted: WantedUser,
  attributes: Attributes,
): Promise<UserInfo> {
  const user = mode.name === 'associated-node' ? withoutExtra(attributes.user) : attributes.user;
  const may = async (asked: Attributes): Promise<void> => {
    const { decision, reason } = await decide(authorizers, asked);
    if (decision !== 'allow') throw refusal(asked, reason);
  };
  if (mode.name) await may({ ...attributes, user, verb: `impersonate-on:${mode.name}:${attributes.verb}` });
  const questions = new Questions(mode, user);
  await may(questions.user(wanted.name));
  if (wanted.uid) await may(questions.uid(wanted.uid));
  await checkMany(mode, questions.groups(wanted.groups), questions.allGroups(), may);
  await checkMany(mode, questions.extras(wanted.extra), questions.allExtras(), may);
  return actualUser(mode, wanted);
}

/** With more checks than this, a constrained mode first tries one check for all of them. */
const many = 4;

async function checkMany(
  { name }: Mode,
  each: readonly Attributes[],
  all: Attributes,
  may: (asked: Attributes) => Promise<void>,
): Promise<void> {
  if (name && each.length >= many) {
    const allowed = await may(all).then(
      () => true,
      () => false,
    );
    if (allowed) return;
  }
  for (const question of each) await may(question);
}

/** An authorizer sees that the account belongs to the node, not to which: the answer is the same for all nodes. */
const withoutExtra = (user: UserInfo): UserInfo => ({
  ...user,
  extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(user.extra ?? {}).sort() },
});

/** Questions to the authorizers about each part of a user. */
class Questions {
  readonly #mode: string;
  readonly #user: UserInfo;
  readonly #verb: string;

  constructor({ name }: Mode, user: UserInfo) {
    this.#mode = name;
    this.#user = user;
    this.#verb = name ? `impersonate:${name}` : 'impersonate';
  }

  #attributes(resource: string, name: string, over: Partial<Attributes> = {}): Attributes {
    const old = !this.#mode && ['users', 'groups', 'serviceaccounts'].includes(resource);
    return {
      user: this.#user,
      verb: this.#verb,
      group: old ? '' : 'authentication.k8s.io',
      version: 'v1',
      resource,
      name,
      subresource: '',
      namespace: '',
      isResource: true,
      path: '',
      rest: '',
      ...over,
    };
  }

  user(name: string): Attributes {
    const node = this.#mode ? nodeName(name) : undefined;
    if (node !== undefined) return this.#attributes('nodes', this.#mode === 'associated-node' ? '*' : node);
    const [namespace, own] = account(name) ?? [];
    return own ? this.#attributes('serviceaccounts', own, { namespace }) : this.#attributes('users', name);
  }

  uid = (uid: string): Attributes => this.#attributes('uids', uid);
  allGroups = (): Attributes => this.#attributes('groups', '*');
  allExtras = (): Attributes => this.#attributes('userextras', '*', { subresource: '*' });

  groups(groups: readonly string[]): Attributes[] {
    if (this.#mode && groups.includes(''))
      throw refusal(this.#attributes('groups', ''), 'impersonating the empty string group is not allowed');
    if (this.#mode && groups.includes('system:masters'))
      throw refusal(
        this.#attributes('groups', 'system:masters'),
        'impersonating the system:masters group is not allowed',
      );
    return groups.map((group) => this.#attributes('groups', group));
  }

  extras(extra: WantedUser['extra']): Attributes[] {
    const fault = this.#mode ? extraFault(extra) : undefined;
    if (fault) throw refusal(this.#attributes('userextras', ''), fault);
    return Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => this.#attributes('userextras', value, { subresource: key })),
    );
  }
}

function extraFault(extra: WantedUser['extra']): string | undefined {
  for (const [key, values] of Object.entries(extra)) {
    if (!key) return 'impersonating the empty string key in extra is not allowed';
    const [fault] = domainPrefixedPathFaults(key);
    if (fault)
      return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: ${fault}`;
    if (key !== key.toLowerCase())
      return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
    if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  }
  return undefined;
}

/** Adds the groups of nodes and service accounts, and one of the two groups of all users. */
function actualUser({ name: mode }: Mode, { name, uid, groups: asked, extra }: WantedUser): UserInfo {
  const groups = [...asked];
  if (!asked.length && mode && nodeName(name) !== undefined) groups.push('system:nodes');
  const [namespace] = account(name) ?? [];
  if (!asked.length && namespace) groups.push('system:serviceaccounts', `system:serviceaccounts:${namespace}`);
  const [own, other] = ['system:authenticated', 'system:unauthenticated'];
  if (name === 'system:anonymous') {
    if (!groups.includes(other)) groups.push(other);
  } else if (!groups.includes(other) && !groups.includes(own)) groups.push(own);
  return { name, groups, ...(uid && { uid }), ...(Object.keys(extra).length && { extra }) };
}

function nodeName(user: string): string | undefined {
  const name = nodeOfUser(user);
  return name === undefined || dns1123SubdomainFaults(name).length ? undefined : name;
}

const accountPrefix = 'system:serviceaccount:';

function account(user: string): readonly [namespace: string, name: string] | undefined {
  if (!user.startsWith(accountPrefix)) return undefined;
  const parts = user.slice(accountPrefix.length).split(':');
  if (parts.length !== 2 || dns1123LabelFaults(parts[0]).length || dns1123SubdomainFaults(parts[1]).length)
    return undefined;
  return [parts[0], parts[1]];
}
