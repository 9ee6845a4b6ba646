import { expect, test } from 'vitest';
import type { CertificateFile } from '../certificates/certificate-files.ts';
import { judgeUpgrade, type UpgradeFacts } from './judge.ts';
import type { StoredFacts } from './stored.ts';
import { deprecatedIn } from './upgrade.ts';

const dayMs = 86_400_000;
const nowMs = Date.parse('2026-06-01T00:00:00Z');
const certificate = (file: string, days: number, isAuthority = false): CertificateFile => ({
  ...{ file, subject: 'CN=x', isAuthority, notBefore: 0, notAfter: nowMs + days * dayMs },
});
const node = (kubeletVersion: string, isServer = false) => ({ name: 'one', kubeletVersion, isServer });
const stored = (change: Partial<StoredFacts> = {}): StoredFacts => ({
  nodes: [node('v1.36.2+coracle')],
  versions: [{ resource: 'pods', apiVersion: 'v1', count: 4, isRead: true }],
  customResources: [],
  unseen: 0,
  ...change,
});
const facts = (change: Partial<UpgradeFacts> = {}): UpgradeFacts => ({
  nowMs,
  program: { coracle: '0.2.0', kubernetes: 'v1.36.2+coracle', format: 1 },
  directory: '/data',
  format: 1,
  last: { coracle: '0.1.0', kubernetes: 'v1.36.2+coracle' },
  certificates: [certificate('pki/admin.crt', 300), certificate('pki/ca.crt', 3000, true)],
  stored: stored(),
  etcd: [],
  deprecated: [],
  ...change,
});
const custom = (storedVersions: string[]) =>
  stored({
    customResources: [{ name: 'w.example.com', versions: ['v1', 'v2'], storageVersion: 'v2', storedVersions }],
  });

test('nothing stands against a usual upgrade', () => {
  const findings = judgeUpgrade(facts({ etcd: [{ name: 'one', version: '3.5.4' }] }));
  expect(findings.map(({ level, subject, text }) => `${level} ${subject}: ${text}`)).toEqual([
    'ok data directory: /data has the format 1 of this program',
    'ok program: from 0.1.0 (Kubernetes v1.36.2+coracle) to 0.2.0 (Kubernetes v1.36.2+coracle)',
    'ok etcd: one has 3.5.4',
    'ok certificate: 2 are valid; the first expires at 2027-03-28T00:00:00Z',
    'ok node: one has v1.36.2+coracle',
    'ok stored objects: 4 objects in versions that this program serves',
    'ok API: no deprecated version was requested since the start',
  ]);
});

const kubernetes = (version: string, coracle = '0.1.0') => ({ last: { coracle, kubernetes: version } });

test.each<[string, Partial<UpgradeFacts>, RegExp]>([
  ['a newer format', { format: 2 }, /^problem data directory: .* a newer program wrote it, and there is no way back/],
  ['an older format', { format: 0 }, /^problem data directory: .* backup with the former program, and restore/],
  ['a damaged mark', { format: undefined }, /^problem data directory: .* damaged coracle.json/],
  ['no record of the last program', { last: undefined }, /^warning program: .* not recorded/],
  ['a newer Kubernetes', kubernetes('v1.37.0'), /^problem program: .*: a downgrade/],
  ['a newer Coracle', kubernetes('v1.36.2', '0.10.0'), /^problem program: .*: a downgrade/],
  ['the former Kubernetes', kubernetes('v1.35.7'), /^ok program: from 0.1.0 \(Kubernetes v1.35.7\)/],
  ['a skipped minor version', kubernetes('v1.34.1'), /^problem program: .* skips 1 minor versions/],
  ['an older node', { stored: stored({ nodes: [node('v1.33.0')] }) }, /^ok node: one has v1.33.0, 3 behind/],
  ['a node that is too old', { stored: stored({ nodes: [node('v1.32.9')] }) }, /^problem node: .* more than 3 minor/],
  ['a newer node', { stored: stored({ nodes: [node('v1.37.0')] }) }, /^problem node: .* newer than v1.36.2/],
  ['a node without a report', { stored: stored({ nodes: [node('')] }) }, /^warning node: one has no version yet/],
  ['an older server', { stored: stored({ nodes: [node('v1.35.0', true)] }) }, /^ok server: .* 1 behind/],
  [
    'a server that is too old',
    { stored: stored({ nodes: [node('v1.34.0', true)] }) },
    /^problem server: .* than 1 minor/,
  ],
  [
    'objects in a version that is not served',
    { stored: stored({ versions: [{ resource: 'p.policy', apiVersion: 'policy/v1beta1', count: 2, isRead: false }] }) },
    /^problem stored objects: 2 objects of p.policy in policy\/v1beta1, which this program does not serve/,
  ],
  [
    'objects without a definition',
    { stored: stored({ versions: [{ resource: 'a.b.c', apiVersion: 'b.c/v1', count: 1, isRead: undefined }] }) },
    /^warning stored objects: 1 object of a.b.c in b.c\/v1, whose definition is gone/,
  ],
  ['encrypted objects', { stored: stored({ unseen: 3 }) }, /^warning stored objects: 3 objects, encrypted or/],
  ['a store that is not read', { stored: 'it is in use' }, /^warning stored objects: not checked: it is in use/],
  ['a former stored version', { stored: custom(['v1', 'v2']) }, /^warning API: w.example.com: .* in v1; v2 is current/],
  [
    'a lost stored version',
    { stored: custom(['v1alpha1', 'v2']) },
    /^problem API: w.example.com: .* in v1alpha1, which/,
  ],
  [
    'a deprecated version in use',
    { deprecated: [{ resource: 'endpoints', version: 'v1' }] },
    /^warning API: .*endpoints/,
  ],
  ['a stopped cluster', { deprecated: undefined }, /^warning API: .* must run for it/],
  ['an old etcd', { etcd: [{ name: 'one', version: '3.3.25' }] }, /^problem etcd: one has 3.3.25, and 3.4 or newer/],
  ['a silent etcd', { etcd: [{ name: 'one' }] }, /^problem etcd: one does not answer/],
  ['etcd 3.10 after 3.4', { etcd: [{ name: 'one', version: '3.10.0' }] }, /^ok etcd: one has 3.10.0/],
  [
    'members of different versions',
    {
      etcd: [
        { name: 'one', version: '3.4.23' },
        { name: 'two', version: '3.5.1' },
      ],
    },
    /^warning etcd: members have different versions: 3.4, 3.5/,
  ],
  [
    'an expired certificate',
    { certificates: [certificate('a.crt', -1)] },
    /^problem certificate: a.crt expired at 2026/,
  ],
  ['one that expires soon', { certificates: [certificate('a.crt', 29)] }, /^warning certificate: a.crt expires/],
  [
    'an authority that ends',
    { certificates: [certificate('ca.crt', 300, true)] },
    /^warning certificate: ca.crt .*in place/,
  ],
  ['no certificate', { certificates: [] }, /^warning certificate: there are none yet/],
])('%s', (_, change, expected) => {
  const lines = judgeUpgrade(facts(change)).map(({ level, subject, text }) => `${level} ${subject}: ${text}`);
  expect(
    lines.filter((line) => expected.test(line)),
    lines.join('\n'),
  ).toHaveLength(1);
  // Each cause shows once: the rest is as it should be.
  const wrong = lines.filter((line) => !line.startsWith('ok'));
  expect(wrong.length).toBe(expected.source.startsWith('^ok') ? 0 : 1);
});

test('deprecated versions are read from the metrics of the API server', () => {
  const metrics = [
    '# TYPE apiserver_requested_deprecated_apis gauge',
    'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1',
    'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="status",version="v1"} 1',
    'apiserver_requested_deprecated_apis{group="x.io",removed_release="1.40",resource="a",subresource="",version="v1beta1"} 1',
    'other{group="y"} 1',
  ].join('\n');
  expect(deprecatedIn(metrics)).toEqual([
    { resource: 'endpoints', version: 'v1' },
    { resource: 'a.x.io', version: 'v1beta1' },
  ]);
});
