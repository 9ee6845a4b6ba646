import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Logger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { parseCredentialProviders } from './credential-config.ts';
import { CredentialProviders } from './credential-providers.ts';

const apiVersion = 'credentialprovider.kubelet.k8s.io/v1';
const provider = (more: object = {}) => ({
  ...{ name: 'login', matchImages: ['*.test'], defaultCacheDuration: '10m', apiVersion },
  ...more,
});
const config = (...providers: object[]) =>
  JSON.stringify({ apiVersion: 'kubelet.config.k8s.io/v1', kind: 'CredentialProviderConfig', providers });

describe('a configuration', () => {
  test('has providers with their programs', () =>
    expect(parseCredentialProviders(config(provider({ args: ['get'], env: [{ name: 'A', value: 'b' }] })))).toEqual([
      {
        ...{ name: 'login', matchImages: ['*.test'], defaultCacheMs: 600_000, apiVersion },
        ...{ args: ['get'], env: [{ name: 'A', value: 'b' }] },
      },
    ]));

  test.each<[string, string]>([
    ['[]', 'the content is not an object'],
    ['{"kind":"CredentialProviderConfig","apiVersion":"v1"}', 'apiVersion and kind must be'],
    [config(), 'at least 1 item'],
    [config(provider({ name: '../login' })), 'providers.name: Invalid value: "../login"'],
    [config(provider({ name: '..' })), 'providers.name'],
    [config(provider({ matchImages: [] })), 'providers.matchImages: Required value'],
    [config(provider({ apiVersion: 'v2' })), 'providers.apiVersion: Unsupported value: "v2"'],
    [config(provider({ defaultCacheDuration: '-1s' })), 'must be greater than or equal to 0'],
    [config(provider({ tokenAttributes: {} })), 'field "providers.tokenAttributes" is not supported'],
    [config(provider({ other: 1 })), 'unknown field "providers[0].other"'],
  ])('%s is refused', (text, fault) => expect(() => parseCredentialProviders(text)).toThrow(fault));
});

describe('a provider', () => {
  let directory: string;
  let clock: VirtualClock;
  let warnings: string[];
  const file = (name: string) => path.join(directory, name);
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'coracle-credentials-'));
    clock = new VirtualClock();
    warnings = [];
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const answer = (more: object = {}) =>
    JSON.stringify({
      ...{ apiVersion, kind: 'CredentialProviderResponse', cacheKeyType: 'Registry', cacheDuration: '5m' },
      auth: { 'registry.test': { username: 'u', password: 'p' } },
      ...more,
    });
  /** Records its input, and then runs the script. */
  const withProgram = (script: string, more: object = {}) => {
    writeFileSync(file('login'), `#!/bin/sh\ncat >>${file('asked')}\n${script}\n`);
    chmodSync(file('login'), 0o755);
    const warn = (_: string, { error }: { error: string }) => void warnings.push(error);
    const providers = parseCredentialProviders(config(provider(more)));
    return new CredentialProviders({ providers, directory, clock, logger: { warn } as unknown as Logger });
  };
  const asked = () => readFileSync(file('asked'), 'utf8').trim().split('\n');
  const given = [{ username: 'u', password: 'p' }];

  test('is called for its images, with arguments and environment, and once for a registry', async () => {
    const script = `[ "$1 $A" = "get b" ] && echo '${answer()}'`;
    const providers = withProgram(script, { args: ['get'], env: [{ name: 'A', value: 'b' }] });
    expect(await Promise.all([1, 2].map(() => providers.credentials('registry.test/img')))).toEqual([given, given]);
    expect(await providers.credentials('registry.test/other')).toEqual(given);
    expect(await providers.credentials('elsewhere.example/img')).toEqual([]);
    expect(asked()).toEqual([
      `{"kind":"CredentialProviderRequest","apiVersion":"${apiVersion}","image":"registry.test/img"}`,
    ]);
    await clock.advance(301_000);
    expect(await providers.credentials('registry.test/other')).toEqual(given);
    expect(asked()).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  test.each<[string, object, number]>([
    ['Image', { cacheKeyType: 'Image' }, 2],
    ['Global', { cacheKeyType: 'Global' }, 1],
    ['not at all', { cacheDuration: '0s' }, 2],
    ['as long as the configuration says', { cacheDuration: null }, 1],
  ])('is kept by %s', async (_, more, times) => {
    const providers = withProgram(`echo '${answer(more)}'`);
    for (const image of ['registry.test/a', 'registry.test/b']) await providers.credentials(image);
    expect(asked()).toHaveLength(times);
  });

  test.each<[string, string]>([
    ['echo no login >&2; exit 3', 'exit status 3: no login'],
    ['echo "password: secret"', 'its answer is not JSON'],
    ['echo "[]"', 'its answer is not an object'],
    [`echo '${answer({ apiVersion: 'v0' })}'`, `its answer is not a CredentialProviderResponse of ${apiVersion}`],
    [`echo '${answer({ cacheKeyType: 'Forever' })}'`, 'cacheKeyType must be Image, Registry or Global'],
    [`echo '${answer({ cacheDuration: 'soon' })}'`, 'cacheDuration is no duration'],
    [
      `echo '${answer({ auth: { 'registry.test': { username: 1 } } })}'`,
      'auth has a username or password that is no text',
    ],
    ['yes', 'its answer has more than 1 MiB'],
  ])('that answers with %s gives none, and the reason is logged', async (script, reason) => {
    expect(await withProgram(script).credentials('registry.test/img')).toEqual([]);
    expect(warnings).toEqual([reason]);
  });

  test('that hangs is ended with its processes', async () => {
    const providers = withProgram(`sleep 1000 & echo $! >${file('pid')}; wait`);
    const waits = providers.credentials('registry.test/img');
    await expect.poll(() => readFileSync(file('pid'), 'utf8'), { timeout: 10_000 }).toMatch(/^\d+\n$/);
    const pid = Number(readFileSync(file('pid'), 'utf8'));
    await clock.advance(60_000);
    expect(await waits).toEqual([]);
    expect(warnings).toEqual(['no answer within a minute']);
    const state = () => {
      try {
        return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      } catch {
        return undefined;
      }
    };
    await expect.poll(state, { timeout: 10_000 }).not.toMatch(/[SR]/);
  });
});
