// Authorization of connections to a pod, and the destinations of proxied requests.

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Attributes } from '../access/authorization.ts';
import type { Listener } from '../kube-apiserver.ts';
import { pod, startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let listener: Listener;
/** "verb resource/subresource" that is refused. */
let refused: string[] = [];
const connects: string[] = [];
/** The options objects that admission saw. */
const seen: unknown[] = [];

const ns = '/api/v1/namespaces/default';
const merge = { contentType: 'application/merge-patch+json' };

beforeAll(async () => {
  const authorize = ({ verb, resource, subresource }: Attributes) =>
    refused.includes(`${verb} ${resource}/${subresource}`)
      ? ({ decision: 'no-opinion', reason: 'because' } as const)
      : ({ decision: 'allow' } as const);
  server = await startTestServer({
    authenticators: [{ name: 'test', authenticate: async () => ({ name: 'jane', groups: [] }) }],
    authorizers: [{ name: 'test', authorize }],
    admission: [
      {
        name: 'test',
        admit({ operation, resource, subresource, object }) {
          if (operation !== 'CONNECT') return;
          connects.push(`${resource}/${subresource}`);
          seen.push(object);
        },
      },
    ],
  });
  listener = await server.listen({ port: 0 });
});
afterAll(() => server.stop());

async function podAt(name: string, ...ips: string[]) {
  await server.call('POST', `${ns}/pods`, pod(name));
  const status = { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  const { code, body } = await server.call('PATCH', `${ns}/pods/${name}/status`, { status }, merge);
  expect(code, body.message).toBe(200);
}

describe('exec, attach and port-forward', () => {
  beforeAll(() => server.call('POST', `${ns}/pods`, pod('idle')));

  const upgrade = (subresource: string): Promise<{ code: number; message: string }> =>
    new Promise((resolve, reject) => {
      const headers = {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
      };
      const outgoing = httpRequest(`${listener.url}${ns}/pods/idle/${subresource}?command=ls`, { headers });
      outgoing.on('response', async (incoming) => {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk);
        resolve({ code: incoming.statusCode ?? 0, message: JSON.parse(Buffer.concat(chunks).toString()).message });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });

  test.each(['exec', 'attach', 'portforward'])('%s over a WebSocket needs create', async (subresource) => {
    refused = [`create pods/${subresource}`];
    expect(await upgrade(subresource)).toEqual({ code: 403, message: 'pods "idle" is forbidden: because' });
    refused = [`get pods/${subresource}`];
    expect((await upgrade(subresource)).message).toContain('cannot get resource');
    refused = [];
    expect((await upgrade(subresource)).message).toBe('pod idle does not have a host assigned');
  });
});

describe('proxy', () => {
  const proxied = async (path: string) => {
    const { code, body } = await server.call('GET', path);
    return `${code} ${body?.message ?? ''}`.trim();
  };
  const allowed = '503 error trying to reach service: dial tcp: lookup tcp/none: unknown port';
  const notAllowed = '400 address not allowed';

  test.each<[string, string, string]>([
    ['loopback', '127.0.0.1', notAllowed],
    ['all of loopback', '127.8.9.1', notAllowed],
    ['unspecified', '0.0.0.0', notAllowed],
    ['link-local', '169.254.169.254', notAllowed],
    ['multicast', '224.0.0.1', notAllowed],
    ['more multicast', '239.1.2.3', notAllowed],
    ['broadcast', '255.255.255.255', notAllowed],
    ['loopback of IPv6', '::1', notAllowed],
    ['unspecified of IPv6', '::', notAllowed],
    ['link-local of IPv6', 'fe80::1', notAllowed],
    ['multicast of IPv6', 'ff05::1', notAllowed],
    ['private', '10.1.2.3', allowed],
    ['public', '203.0.113.1', allowed],
    ['unique local', 'fd00::1', allowed],
  ])('of a pod at a %s address', async (_, ip, wanted) => {
    const name = `p-${ip.replace(/[^0-9a-f]/g, '-')}x`;
    await podAt(name, ip);
    expect(await proxied(`${ns}/pods/${name}:none/proxy/`)).toBe(wanted);
  });

  test.each(['::ffff:127.0.0.1', '::ffff:7f00:1'])('a pod cannot have the mapped address %s', async (ip) => {
    await server.call('POST', `${ns}/pods`, pod('mapped'));
    const { code, body } = await server.call('PATCH', `${ns}/pods/mapped/status`, { status: { podIP: ip } }, merge);
    expect(code).toBe(422);
    expect(body.message).toContain('must not be an IPv4-mapped IPv6 address');
  });

  test.each<[string, string, string]>([
    ['a pod without an address', `${ns}/pods/bare/proxy/`, notAllowed],
    ['a scheme that is none', `${ns}/pods/ftp:bare:80/proxy/`, '400 invalid pod request "ftp:bare:80"'],
    ['too many parts', `${ns}/pods/a:b:c:d/proxy/`, '400 invalid pod request "a:b:c:d"'],
    ['no name', `${ns}/services/:80/proxy/`, '400 invalid service request ":80"'],
    ['no pod', `${ns}/pods/nothing/proxy/`, '404 pods "nothing" not found'],
    ['no node', '/api/v1/nodes/nothing/proxy/', '404 nodes "nothing" not found'],
  ])('of %s', async (_, path, wanted) => {
    await server.call('POST', `${ns}/pods`, pod('bare'));
    expect(await proxied(path)).toBe(wanted);
  });

  test.each([
    ['127.0.0.1', notAllowed],
    ['169.254.0.1', notAllowed],
    ['localhost', notAllowed],
    ['::ffff:127.0.0.1', notAllowed],
    ['::ffff:7f00:1', notAllowed],
    ['10.0.0.1', allowed],
  ])('of a node at %s', async (address, wanted) => {
    const name = `n-${address.replaceAll(/[.:]/g, '-')}`;
    await server.call('POST', '/api/v1/nodes', { metadata: { name } });
    const status = { addresses: [{ type: 'InternalIP', address }] };
    await server.call('PATCH', `/api/v1/nodes/${name}/status`, { status }, merge);
    expect(await proxied(`/api/v1/nodes/${name}:none/proxy/`)).toBe(wanted);
  });

  test('of a service only reaches pods of its namespace', async () => {
    const none = (port = '') => `503 no endpoints available for service "svc${port}"`;
    await server.call('POST', `${ns}/services`, {
      metadata: { name: 'svc' },
      spec: {
        ports: [
          { name: 'web', port: 80 },
          { name: 'bad', port: 81 },
        ],
      },
    });
    await podAt('real', '10.1.2.4');
    const slice = async (name: string, address: string, targetRef?: object) => {
      const { code, body } = await server.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
        metadata: { name, labels: { 'kubernetes.io/service-name': 'svc' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], ...(targetRef && { targetRef }) }],
        ports: [{ name: 'web', port: 8080 }],
      });
      expect(code, body.message).toBe(201);
    };
    const to = (name: string, namespace = 'default') => ({ kind: 'Pod', namespace, name });
    expect(await proxied(`${ns}/services/svc:web/proxy/`)).toBe(none(':web'));
    await slice('foreign', '203.0.113.9');
    await slice('other', '10.1.2.4', to('real', 'far'));
    await slice('liar', '203.0.113.9', to('real'));
    await slice('gone', '10.1.2.4', to('nothing'));
    expect(await proxied(`${ns}/services/svc:web/proxy/`)).toBe(none(':web'));
    expect(await proxied(`${ns}/services/svc:80/proxy/`)).toBe(none(':80'));
    expect(await proxied(`${ns}/services/svc/proxy/`)).toBe(none());
    expect(await proxied(`${ns}/services/svc:82/proxy/`)).toBe('503 no service port 82 found for service "svc"');
  });

  test('is a CONNECT to admission', () => {
    for (const resource of ['pods/proxy', 'nodes/proxy', 'services/proxy', 'pods/exec'])
      expect(connects).toContain(resource);
  });
});

test.each([
  [
    'pods/idle/exec?stdin=true&stdout=&tty=0&container=c&command=ls&command=-l',
    { kind: 'PodExecOptions', stdin: true, stdout: true, container: 'c', command: ['ls', '-l'] },
  ],
  ['pods/idle/exec', { kind: 'PodExecOptions', command: null }],
  ['pods/idle/attach?stderr=1', { kind: 'PodAttachOptions', stderr: true }],
  ['pods/idle/portforward?ports=80,81&ports=90', { kind: 'PodPortForwardOptions', ports: [80, 81, 90] }],
  ['pods/idle/proxy/a/b?x=1', { kind: 'PodProxyOptions', path: '/a/b' }],
  ['services/ghost/proxy', { kind: 'ServiceProxyOptions' }],
])('admission sees the options of %s', async (path, expected) => {
  seen.length = 0;
  await fetch(`${listener.url}${ns}/${path}`);
  expect(seen).toEqual([{ apiVersion: 'v1', ...expected }]);
});

test('a port that is none is refused before admission', async () => {
  seen.length = 0;
  const answer = await fetch(`${listener.url}${ns}/pods/idle/portforward?ports=http`);
  expect([answer.status, ((await answer.json()) as { message: string }).message]).toEqual([
    400,
    'cannot convert to []int32: strconv.ParseUint: parsing "http": invalid syntax',
  ]);
  expect(seen).toEqual([]);
});
