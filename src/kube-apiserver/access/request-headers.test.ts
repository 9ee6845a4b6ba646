import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Listener } from '../kube-apiserver.ts';
import { type TestAuthority, testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { anonymous, clientCertificates } from './authentication.ts';
import { requestHeaders } from './request-headers.ts';

let clients: TestAuthority;
let proxies: TestAuthority;
let server: TestServer;
let listener: Listener;

beforeAll(async () => {
  [clients, proxies] = [await testAuthority(), await testAuthority('CN=front-proxy-ca')];
  const frontProxy = {
    ca: proxies.ca,
    ...(await proxies.issue('CN=front-proxy-client')),
    allowedNames: ['front-proxy-client'],
  };
  server = await startTestServer({
    authenticators: [requestHeaders, clientCertificates, anonymous],
    config: { frontProxy },
  });
  const tls = { ...(await clients.issue('CN=server', ['127.0.0.1'])), clientCa: clients.ca };
  listener = await server.listen({ port: 0, tls });
});
afterAll(() => server.stop());

/** The authenticated user; the status code if rejected. */
async function whoIs(authority: TestAuthority, subject: string, headers: Record<string, string | string[]>) {
  const { cert, key } = await authority.issue(subject);
  const url = `${listener.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`;
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    ca: clients.ca,
    cert,
    key,
  };
  return new Promise<any>((resolve, reject) => {
    const request = httpsRequest(url, { ...options, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => (text += part));
      answer.on('end', () => resolve(answer.statusCode === 201 ? JSON.parse(text).status.userInfo : answer.statusCode));
    });
    request.on('error', reject);
    // Node writes a body of text together with the headers, in one encoding.
    request.end(Buffer.from('{}'));
  });
}

const headers = {
  'X-Remote-User': 'j\u00c3\u00b6rg',
  'X-Remote-Uid': '7',
  'X-Remote-Group': ['crew', 'a,b'],
  'X-Remote-Extra-Scopes%2Fx': ['view', 'edit'],
};

test('the front proxy names the user', async () => {
  expect(await whoIs(proxies, 'CN=front-proxy-client', headers)).toEqual({
    username: 'jörg',
    uid: '7',
    groups: ['crew', 'a,b', 'system:authenticated'],
    extra: { 'scopes/x': ['view', 'edit'] },
  });
});

test.each([
  {
    case: 'a client of the other CA is itself regardless of its headers',
    of: () => clients,
    subject: 'CN=jane',
    who: 'jane',
  },
  {
    case: 'a client of the other CA with the name of the proxy',
    of: () => clients,
    subject: 'CN=front-proxy-client',
    who: 'front-proxy-client',
  },
])('$case', async ({ of, subject, who }) => {
  expect(await whoIs(of(), subject, headers)).toMatchObject({ username: who });
});

test.each([
  { case: 'another name of the proxies CA', subject: 'CN=stranger', sent: headers },
  { case: 'the front proxy without a user', subject: 'CN=front-proxy-client', sent: {} },
  {
    case: 'a certificate of the proxies CA that looks like an administrator',
    subject: 'CN=x,O=system:masters',
    sent: {},
  },
])('refused: $case', async ({ subject, sent }) => {
  expect(await whoIs(proxies, subject, sent)).toBe(401);
});
