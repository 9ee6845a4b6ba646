import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readExternalConfig } from './external-config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'coracle-cloud-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = path.join(directory, 'cloud.yaml');
writeFileSync(path.join(directory, 'token'), 'secret\n');

const read = (text: string) => {
  writeFileSync(file, text);
  return readExternalConfig(file, 'own');
};
const head = 'apiVersion: cloud.coracle.local/v1\nkind: ExternalCloud\n';
const usual = `${head}url: https://c.example.org/\noffers: [instances]\n`;

test('defaults', async () =>
  expect(await read(usual)).toEqual({
    ...{ url: 'https://c.example.org', cluster: 'own', offers: new Set(['instances']) },
    ...{ timeoutMs: 10_000, retries: 2, files: {} },
  }));

test('all fields; files are beside the configuration', async () =>
  expect(await read(`${usual}timeout: 1m\nretries: 0\ncluster: a\ntokenFile: token\n`)).toMatchObject({
    ...{ timeoutMs: 60_000, retries: 0, cluster: 'a' },
    files: { token: path.join(directory, 'token') },
  }));

test.each<[string, string, RegExp]>([
  ['no YAML', 'a: [', /--cloud-config: .*cloud\.yaml: /],
  ['another kind', 'kind: X', /must be cloud\.coracle\.local\/v1, ExternalCloud/],
  ['no URL', `${head}offers: [routes]`, /url: is missing/],
  ['no ability', `${head}url: https://a`, /offers: must be a list of instances, loadBalancers, routes/],
  ['an unknown ability', `${head}url: https://a\noffers: [zones]`, /offers: must be a list/],
  ['HTTP to another machine', `${head}url: http://a\noffers: [routes]`, /must begin with https/],
  ['a password in the URL', `${head}url: https://u:p@a\noffers: [routes]`, /use tokenFile/],
  ['a certificate without a key', `${usual}clientCertificateFile: token`, /need each other/],
  ['a file that does not exist', `${usual}tokenFile: gone`, /gone: ENOENT/],
  ['a long timeout', `${usual}timeout: 1h`, /from 1s to 60s/],
  ['an unknown field', `${usual}timeouts: 1s`, /timeouts: is no field of this file/],
])('%s is refused', async (_, text, fault) => expect(read(text)).rejects.toThrow(fault));

test('a file that does not exist is refused', async () =>
  expect(readExternalConfig(path.join(directory, 'none'), 'own')).rejects.toThrow(/--cloud-config: .*none: ENOENT/));

test.each(['http://127.0.0.1:80', 'http://localhost:80', 'http://[::1]:80'])('%s needs no TLS', async (url) =>
  expect((await read(`${head}url: ${url}\noffers: [routes]`)).url).toBe(url),
);
