import { describe, expect, test } from 'vitest';
import gates from '../../../facts/feature-gates.json' with { type: 'json' };
import fc from '../../machinery/test-property.ts';
import { apiServerHelp, readApiServerCommand } from './api-server.ts';
import { servedKinds } from './features.ts';
import { openSslCiphers } from './tls.ts';

/** Without these, kube-apiserver does not start. */
const needed = [
  '--etcd-servers=http://127.0.0.1:2379',
  '--service-account-issuer=https://issuer',
  '--service-account-signing-key-file=sa.key',
];
const read = (...words: string[]) => readApiServerCommand([...needed, ...words]);
const accepted = (...words: string[]) => {
  const { faults, values } = read(...words);
  expect(faults).toEqual([]);
  return values;
};

describe('the forms of a flag', () => {
  test.each([
    [['--secure-port=7443'], { 'secure-port': 7443 }],
    [['--secure-port', '7443'], { 'secure-port': 7443 }],
    [['--secure_port=7443'], { 'secure-port': 7443 }],
    [['--secure-port=1', '--secure-port=2'], { 'secure-port': 2 }],
    [['--allow-privileged'], { 'allow-privileged': true }],
    [['--allow-privileged=false'], { 'allow-privileged': false }],
    [['--anonymous-auth=F'], { 'anonymous-auth': false }],
    [['-v=6'], { v: 6 }],
    [['-v', '6'], { v: 6 }],
    [['--v=2'], { v: 2 }],
    [['--authorization-mode=Node,RBAC'], { 'authorization-mode': ['Node', 'RBAC'] }],
    [['--authorization-mode', 'Node', '--authorization-mode', 'RBAC'], { 'authorization-mode': ['Node', 'RBAC'] }],
    [['--service-account-issuer=https://b,c'], { 'service-account-issuer': ['https://issuer', 'https://b,c'] }],
    [['--api-audiences=a,b', '--api-audiences=c'], { 'api-audiences': ['a', 'b', 'c'] }],
    [['--service-node-port-range=30000-30100'], { 'service-node-port-range': { from: 30_000, to: 30_100 } }],
    [['--service-node-port-range=30000+100'], { 'service-node-port-range': { from: 30_000, to: 30_100 } }],
    [['--request-timeout=1m30s'], { 'request-timeout': 90_000 }],
    [['--service-cluster-ip-range=10.0.0.0/16,FD00::/108'], { 'service-cluster-ip-range': '10.0.0.0/16,fd00::/108' }],
    [['--bind-address=::1'], { 'bind-address': '::1' }],
    [['--tracing-config-file=t.yaml'], { 'tracing-config-file': 't.yaml' }],
    [['--disable-admission-plugins=ServiceAccount,DenyServiceExternalIPs'], {}],
    [['--enable-admission-plugins=NodeRestriction'], { 'enable-admission-plugins': ['NodeRestriction'] }],
    [['--storage-media-type=application/vnd.kubernetes.protobuf'], {}],
  ])('%j', (words, values) => expect(accepted(...words)).toMatchObject(values));
});

describe('refused by name', () => {
  test.each([
    [['--insecure-port=0'], 'unknown flag: --insecure-port'],
    [['--feature', 'x'], 'unknown flag: --feature'],
    [['extra'], 'unknown command "extra" for "kube-apiserver": it takes flags only'],
    [['--secure-port'], 'flag needs an argument: --secure-port'],
    [['--secure-port=0'], 'invalid argument "0" for --secure-port: give a whole number from 1 to 65535'],
    [['--allow-privileged=maybe'], 'invalid argument "maybe" for --allow-privileged: give true or false'],
    [['--request-timeout=5'], 'invalid argument "5" for --request-timeout: give a duration, such as 90s or 1h30m'],
    [['--service-cluster-ip-range=10.0.0.0/8'], /too large/],
    [['--service-cluster-ip-range=10.0.0.0/16,10.1.0.0/16'], /give one range, or one of each family/],
    [['--service-cluster-ip-range=fd00::/63'], /too large: give one of \/64 or smaller/],
    [['--service-cluster-ip-range=10.0.0.0/16,'], /give a range/],
    [['--service-node-port-range=5-1'], /give a range of ports/],
    [['--authorization-mode=ABAC'], /ABAC is not supported: use RBAC or Webhook/],
    [['--authorization-mode=Magic'], /there is no mode Magic/],
    [['--authorization-mode=RBAC,RBAC'], /RBAC is given twice/],
    [['--authorization-mode=Webhook'], '--authorization-mode Webhook needs --authorization-webhook-config-file'],
    [['--authorization-mode=RBAC', '--authorization-config=f'], /--authorization-config can not be specified when/],
    [['--authentication-config=f', '--oidc-client-id=c', '--oidc-issuer-url=https://i'], /are mutually exclusive/],
    [['--oidc-client-id=c'], /--oidc-issuer-url and --oidc-client-id must be specified together/],
    [['--tls-cert-file=f'], '--tls-cert-file and --tls-private-key-file must be specified together'],
    [['--tls-sni-cert-key=a.crt'], /expected comma separated certificate and key file paths/],
    [['--tls-sni-cert-key=a.crt,a.key:'], /empty names list is not allowed/],
    [['--tls-sni-cert-key=a.crt,a.key:10.0.0.1'], /10.0.0.1 is an address: clients send the names of hosts only/],
    [
      ['--encryption-provider-config-automatic-reload'],
      '--encryption-provider-config-automatic-reload must be set with --encryption-provider-config',
    ],
    [['--feature-gates=Nothing=true'], /unrecognized feature gate: Nothing/],
    [['--feature-gates=AllAlpha=true'], /AllAlpha is always off in Coracle/],
    [['--runtime-config=api/all=true,storage.k8s.io/v1beta1=true'], /storage.k8s.io\/v1beta1 is not served/],
    [['--runtime-config=api/beta=true'], /api\/beta: Coracle serves what Kubernetes 1.36.2 serves by default/],
    [['--runtime-config=v1=false'], /v1=false: Coracle's own parts use it/],
    [['--runtime-config=v1/pods=false'], /v1\/pods=false: Coracle's own parts use it/],
    [['--runtime-config=api/v1=false'], /api\/v1=false: Coracle's own parts use it/],
    [['--runtime-config=api/v2'], /api\/v2 is not served/],
    [['--runtime-config=rbac.authorization.k8s.io/v1=false'], /own parts use it/],
    [['--enable-admission-plugins=Nothing'], 'enable-admission-plugins plugin "Nothing" is unknown'],
    [['--enable-admission-plugins=Priority', '--disable-admission-plugins=Priority'], /overlapped/],
    [['--admission-control=Priority'], /--admission-control=Priority cannot be honoured: give --enable-admission/],
    [['--watch-cache=perhaps'], /give true or false/],
    [['--storage-media-type=application/cbor'], /objects are stored as JSON/],
    [['--etcd-prefix=registry'], /--etcd-prefix registry: it must begin with/],
    [['--max-requests-inflight=0', '--max-mutating-requests-inflight=0'], /no request could run/],
    [['--egress-selector-config-file=f'], /the server calls others directly/],
  ])('%j', (words, says) => {
    const { faults } = read(...words);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toEqual(typeof says === 'string' ? says : expect.stringMatching(says));
  });

  test('every fault of a command line at once', () => {
    expect(read('--nothing', '--secure-port=x', 'word').faults).toHaveLength(3);
    expect(readApiServerCommand([]).faults).toEqual([
      '--etcd-servers must be specified',
      '--service-account-signing-key-file and --service-account-issuer are required flags',
    ]);
  });
});

test('flags without effect are named', () =>
  expect(read('--watch-cache=false', '--goaway-chance=0.1', '--secure-port=1').ignored).toEqual([
    'watch-cache',
    'goaway-chance',
  ]));

test('every feature gate is accepted as Kubernetes has it by default, and in no other way', () => {
  for (const [name, { default: isOn }] of Object.entries(gates.featureGates)) {
    expect(read(`--feature-gates=${name}=${isOn}`).faults, name).toEqual([]);
    expect(read(`--feature-gates=${name}=${!isOn}`).faults, name).toHaveLength(1);
  }
});

test('--help lists the accepted flags, where test environments look for them', () => {
  const help = apiServerHelp();
  for (const flag of ['etcd-servers', 'cert-dir', 'oidc-issuer-url', 'watch-cache', 'audit-log-path'])
    expect(help).toMatch(new RegExp(`^\\s*--${flag}\\b`, 'm'));
  for (const flag of ['insecure-port', 'egress-selector-config-file'])
    expect(help).not.toMatch(new RegExp(`^\\s*--${flag}\\b`, 'm'));
});

describe('--runtime-config', () => {
  const names = (text: string) =>
    servedKinds(accepted(`--runtime-config=${text}`)['runtime-config'], 60).map(
      ({ group, version, resource }) => `${group}/${version}/${resource}`,
    );
  test('a version that is off is not served', () => {
    expect(names('batch/v1=false').filter((name) => name.startsWith('batch/'))).toEqual([]);
    expect(names('batch/v1=false')).toContain('apps/v1/deployments');
  });
  test('the core group has an old name', () => expect(names('api/v1')).toEqual(names('v1=true')));
  test('a resource counts more than its version', () =>
    expect(names('batch/v1/jobs=true,batch/v1=false').filter((name) => name.startsWith('batch/'))).toEqual([
      'batch/v1/jobs',
    ]));
  test('events are kept as long as --event-ttl says', () =>
    expect(servedKinds(new Map(), 60).filter(({ keptSeconds }) => keptSeconds === 60)).toHaveLength(2));
});

test.each([
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
])('the cipher suite %s is %s', (name, openSsl) => expect(openSslCiphers([name])?.split(':')).toContain(openSsl));

test('an unknown cipher suite is refused', () =>
  expect(() => openSslCiphers(['TLS_MAGIC'])).toThrow('--tls-cipher-suites: TLS_MAGIC is not supported: remove it'));

test('any command line is read or refused with sentences', () => {
  const names = Object.keys(readApiServerCommand([]).values).map((name) => `--${name}`);
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('true', '1', '-1', '1e9', '10.0.0.0/16', 'a=b,c', '5m', '::', '\0'),
  );
  const word = fc.oneof(
    value,
    fc.constantFrom('-v', '--', '-', '--=', ...names),
    fc.tuple(fc.constantFrom(...names), value).map(([name, text]) => `${name}=${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (words) => {
      const { faults, values } = readApiServerCommand(words);
      for (const fault of faults) expect(fault.length).toBeGreaterThan(10);
      if (faults.length === 0) expect(values['etcd-servers'].length).toBeGreaterThan(0);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});
