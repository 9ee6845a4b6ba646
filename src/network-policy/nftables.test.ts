// Transcripts of the transactions between states, reviewed as a diff (vitest run -u rewrites them).

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isolate } from './isolation.ts';
import { emptyRuleset, ruleset, transaction } from './nftables.ts';
import { type PodChange, policy, site, type World, world } from './test-world.ts';

const rulesOf = (state: World) => {
  const isolation = isolate({ ...state, nodeNames: ['n1'] });
  return isolation ? ruleset(isolation, site) : emptyRuleset;
};
const state = (policies: World['policies'], pods: Readonly<Record<string, PodChange>> = {}) =>
  world('x/a x/b x/c y/a', policies, { pods });
const deny = policy({}, { ingress: [] }, { name: 'deny' });
const web = policy(
  { pod: 'a' },
  {
    ingress: [
      {
        from: [
          { podSelector: { matchLabels: { pod: 'b' } } },
          { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.64/26'] } },
        ],
        ports: [{ port: 80 }, { port: 8000, endPort: 8080 }, { port: 'serve-81-udp', protocol: 'UDP' }],
      },
    ],
  },
  { name: 'web' },
);
const out = policy({ pod: 'c' }, { egress: [{ to: [{ namespaceSelector: {} }] }] }, { name: 'out' });

const steps: [string, World][] = [
  ['all pods of a namespace are denied', state([deny])],
  ['a policy permits peers, a block and ports', state([deny, web])],
  ['a peer has another address', state([deny, web], { 'x/b': { podIPs: ['10.244.2.33', 'fd00:2::33'] } })],
  ['egress', state([deny, web, out])],
  ['an isolated pod starts', state([deny, web, out], { 'x/c': { podIPs: [] } })],
  ['nothing changes', state([deny, web, out], { 'x/c': { podIPs: [] } })],
  ['one policy is left', state([deny])],
];

test('transactions', async () => {
  let before = emptyRuleset;
  const transcript: string[] = [];
  for (const [intent, next] of steps) {
    const after = rulesOf(next);
    transcript.push(`# ${intent}\n${transaction('inet t', before, after)}`);
    before = after;
  }
  await expect(transcript.join('\n')).toMatchFileSnapshot('nftables.transcript.txt');
});

const canFilter = process.getuid?.() === 0 && existsSync('/usr/sbin/nft');
test.skipIf(!canFilter)('the kernel accepts each of them, in a network namespace of its own', () => {
  const protocols = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) => [
    { protocol },
    { protocol, port: 80, endPort: 90 },
    { protocol, port: `serve-80-${protocol.toLowerCase()}` },
  ]);
  const peers = ['0.0.0.0/0', '::/0'].map((cidr) => ({ ipBlock: { cidr } }));
  const all = policy(
    {},
    { egress: [{ to: peers, ports: protocols }], ingress: [{ ports: protocols }] },
    { name: 'all' },
  );
  let before = emptyRuleset;
  const scripts = [...steps, ['all protocols', state([all])] as const].map(([, next]) => {
    const after = rulesOf(next);
    const script = transaction('inet t', before, after);
    before = after;
    return `nft -f - <<'END'\n${script}END\n`;
  });
  const { status, stderr } = spawnSync('unshare', ['-n', 'sh', '-ec', `nft add table inet t\n${scripts.join('')}`], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('1,000 pods and 100 policies: one more pod changes elements alone', () => {
  const names = Array.from({ length: 1000 }, (_, i) => `n${i % 10}/p${i}`);
  const from = (i: number) => [{ namespaceSelector: { matchLabels: { ns: `n${i % 10}` } } }];
  const policies = Array.from({ length: 100 }, (_, i) =>
    policy(
      {},
      { ingress: [{ from: from(i + 1), ports: [{ port: i + 1 }] }] },
      { namespace: `n${i % 10}`, name: `p${i}` },
    ),
  );
  const addresses = (i: number) => ({ podIPs: [`10.244.${i >> 7}.${(i & 127) + 1}`] });
  const pods = Object.fromEntries(names.map((name, i) => [name, addresses(i)]));
  const many = world(names.join(' '), policies, { pods });
  const more = world([...names, 'n0/more'].join(' '), policies, { pods: { ...pods, 'n0/more': addresses(2000) } });
  const lines = transaction('inet t', rulesOf(many), rulesOf(more)).trim().split('\n');
  expect(lines.length).toBeLessThan(10);
  expect(lines.filter((line) => !line.startsWith('add element'))).toEqual([]);
});
