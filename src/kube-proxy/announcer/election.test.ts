import { expect, test } from 'vitest';
import { addressesToHold, type Peer, type View } from './election.ts';

const ip = '192.0.2.201';
const networks = ['192.0.2.0/24'];
const now = 100_000;
/** Heard `agoMs` ago, with the addresses that it holds. */
const heard = (agoMs: number, holds: string[] = [], more: { networks?: string[] } = {}) => ({
  heartbeat: { atMs: now - agoMs, networks: more.networks ?? networks, holds: new Set(holds) },
});
const peer = (name: string, more: Partial<Peer> = {}): Peer => ({
  ...{ name, address: '192.0.2.11', isReady: true, isIncluded: true },
  ...heard(100),
  ...more,
});
const view = (more: Partial<Omit<View, 'self'>> & { self?: Partial<View['self']> } = {}): View => ({
  nowMs: now,
  sinceMs: 0,
  peers: [],
  addresses: [{ ip, nodes: undefined }],
  ...more,
  self: { name: 'b', isIncluded: true, networks, holds: new Set<string>(), ...more.self },
});
const holding = { holds: new Set([ip]) };

// For this address the order of names is a, b, c.
test.each<[string, View, boolean]>([
  ['a node alone', view(), true],
  ['a node alone, from its start', view({ sinceMs: now }), true],
  ['of two nodes the first', view({ peers: [peer('a')] }), false],
  ['of two nodes the first, as that one sees it', view({ self: { name: 'a' }, peers: [peer('b')] }), true],
  ['the one that has it, while it lives', view({ self: holding, peers: [peer('a')] }), true],
  ['not while another one has it', view({ self: { name: 'a' }, peers: [peer('b', heard(100, [ip]))] }), false],
  ['of two that have it the first', view({ self: holding, peers: [peer('a', heard(100, [ip]))] }), false],
  [
    'of two that have it the first, as that one sees it',
    view({ self: { ...holding, name: 'a' }, peers: [peer('b', heard(100, [ip]))] }),
    true,
  ],
  ['from a node that is silent', view({ peers: [peer('a', heard(800, [ip]))] }), true],
  ['not from a node that was heard just now', view({ peers: [peer('a', heard(799, [ip]))] }), false],
  ['from a node that has left', view({ peers: [peer('a', heard(Number.POSITIVE_INFINITY))] }), true],
  ['not at the start, when another one may have it', view({ sinceMs: now - 700, peers: [peer('c')] }), false],
  [
    'not after a break, from a node that was heard before it',
    view({ sinceMs: now - 100, peers: [peer('c', heard(5_000))] }),
    false,
  ],
  ['after that', view({ sinceMs: now - 800, peers: [peer('c')] }), true],
  [
    'from a node that is Ready and silent, when others are heard',
    view({ peers: [peer('a', { heartbeat: undefined }), peer('c')] }),
    true,
  ],
  ['not from a Ready node, when none is heard', view({ peers: [peer('a', { heartbeat: undefined })] }), false],
  [
    'from a node that is not Ready, when none is heard',
    view({ peers: [peer('a', { heartbeat: undefined, isReady: false })] }),
    true,
  ],
  ['not in another network', view({ self: { networks: ['198.51.100.0/24'] } }), false],
  [
    'a rival in another network does not count',
    view({ peers: [peer('a', heard(100, [], { networks: ['198.51.100.0/24'] }))] }),
    true,
  ],
  ['not as an excluded node', view({ self: { ...holding, isIncluded: false } }), false],
  ['an excluded rival does not count', view({ peers: [peer('a', { isIncluded: false })] }), true],
  ['not without endpoints', view({ self: holding, addresses: [{ ip, nodes: new Set(['a']) }] }), false],
  ['with endpoints', view({ peers: [peer('a')], addresses: [{ ip, nodes: new Set(['b']) }] }), true],
  [
    'a rival without endpoints does not count',
    view({ peers: [peer('a', heard(100, [ip]))], addresses: [{ ip, nodes: new Set(['b']) }] }),
    true,
  ],
])('a node holds an address: %s', (_, given, wanted) =>
  expect(addressesToHold(given).map((each) => each.ip)).toEqual(wanted ? [ip] : []),
);

test.each<[string, Peer, boolean]>([
  ['of a live node', peer('c', heard(100, [ip])), true],
  ['of a dead node', peer('c', heard(900, [ip])), false],
  ['none', peer('c'), false],
])('a held address is contested by the claim %s', (_, rival, isContested) =>
  expect(addressesToHold(view({ self: holding, peers: [rival] }))).toEqual([{ ip, isContested }]),
);

test('addresses are spread over nodes, and each has one', () => {
  const addresses = Array.from({ length: 60 }, (_, i) => ({ ip: `192.0.2.${i + 100}`, nodes: undefined }));
  const names = ['a', 'b', 'c'];
  const held = names.map((name) =>
    addressesToHold(view({ self: { name }, peers: names.filter((n) => n !== name).map((n) => peer(n)), addresses })),
  );
  expect(
    held
      .flat()
      .map((each) => each.ip)
      .sort(),
  ).toEqual(addresses.map((address) => address.ip).sort());
  for (const part of held) expect(part.length).toBeGreaterThan(10);
});
