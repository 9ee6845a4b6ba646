import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunConfig } from '../config.ts';
import { chosenConfig } from './kubelet-config.ts';

let directory: string;
const place = (name: string) => path.join(directory, name);
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-kubelet-config-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('credential providers', () => {
  beforeEach(() => {
    mkdirSync(place('configs'));
    mkdirSync(place('programs'));
    for (const name of ['one', 'two']) {
      writeFileSync(place(`programs/${name}`), '#!/bin/sh\n');
      chmodSync(place(`programs/${name}`), 0o755);
    }
  });

  const write = (file: string, name: string) =>
    writeFileSync(
      place(file),
      JSON.stringify({
        ...{ apiVersion: 'kubelet.config.k8s.io/v1', kind: 'CredentialProviderConfig' },
        providers: [
          {
            ...{ name, matchImages: ['a.test'], defaultCacheDuration: '1m' },
            apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
          },
        ],
      }),
    );
  const chosen = (config: string | undefined, programs: string | undefined) =>
    chosenConfig(
      {
        nodeNames: ['n'],
        ...(config && { imageCredentialProviderConfig: place(config) }),
        ...(programs && { imageCredentialProviderBinDir: place(programs) }),
      } as unknown as RunConfig,
      4,
    );
  const names = async (config: string) =>
    (await chosen(config, 'programs')).credentialProviders?.providers.map(({ name }) => name);

  test('come from a file, or from all of a directory in order', async () => {
    write('configs/20.json', 'one');
    write('configs/10.yaml', 'two');
    writeFileSync(place('configs/notes.txt'), 'none');
    expect(await names('configs/20.json')).toEqual(['one']);
    expect(await names('configs')).toEqual(['two', 'one']);
    expect((await chosen(undefined, undefined)).credentialProviders).toBeUndefined();
  });

  test('that cannot be used are refused with the reason', async () => {
    await expect(names('configs')).rejects.toThrow(/configs cannot be read: it has no .json, .yaml or .yml files/);
    await expect(names('none')).rejects.toThrow(/none cannot be read: ENOENT/);
    write('configs/a.json', 'one');
    write('configs/b.json', 'one');
    await expect(names('configs')).rejects.toThrow('duplicate provider name "one" found in configuration file(s)');
    write('configs/b.json', 'three');
    await expect(names('configs')).rejects.toThrow(/cannot be used: ENOENT.*three/);
    await expect(chosen('configs', undefined)).rejects.toThrow('need each other');
  });
});

test.each([
  ['', 110],
  ['podsPerCore: 10', 40],
  ['podsPerCore: 100', 110],
  ['podsPerCore: 100\nmaxPods: 500', 400],
  ['podsPerCore: 0\nmaxPods: 500', 500],
])('the pods of a node with four cores: %j', async (fields, maxPods) => {
  const file = place('kubelet.yaml');
  writeFileSync(file, `apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${fields}`);
  const config = { nodeNames: ['n'], kubeletConfig: file } as unknown as RunConfig;
  expect((await chosenConfig(config, 4)).maxPods).toBe(maxPods);
});
