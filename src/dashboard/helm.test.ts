import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeRelease, revisionOf } from './web/model/helm.ts';

const encoded = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString('base64')).toString('base64');
const release = {
  name: 'shop',
  info: { status: 'deployed', notes: 'Hello', description: 'Install complete' },
  chart: { metadata: { name: 'web', version: '1.2.3', appVersion: '9' }, values: { replicas: 1 } },
  config: { replicas: 3 },
  manifest: 'kind: Pod\n',
};

describe('releases of Helm', () => {
  test.each([
    ['compressed', gzipSync(JSON.stringify(release))],
    ['as old versions wrote them', Buffer.from(JSON.stringify(release))],
  ])('%s', async (_, bytes) => {
    expect(await decodeRelease(encoded(bytes))).toEqual({
      ...{ chart: 'web', chartVersion: '1.2.3', appVersion: '9', description: 'Install complete', notes: 'Hello' },
      ...{ manifest: 'kind: Pod\n', values: { replicas: 3 }, defaults: { replicas: 1 } },
    });
  });

  test('fields of another type are empty', async () =>
    expect(await decodeRelease(encoded(gzipSync('{"chart":[],"info":5,"manifest":{}}')))).toMatchObject({
      ...{ chart: '', notes: '', manifest: '', values: {} },
    }));

  test('a bomb stops at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    expect(bomb.length).toBeLessThan(1 << 20);
    await expect(decodeRelease(encoded(bomb))).rejects.toThrow('more than 32 MiB');
  });

  test.each([
    ['no base64', Buffer.from('!!').toString('base64'), 'base64'],
    ['a file that is cut off', encoded(gzipSync(JSON.stringify(release)).subarray(0, 40)), ''],
    ['no JSON', encoded(gzipSync('x')), 'JSON'],
    ['too large', 'A'.repeat(5 << 20), 'larger'],
  ])('%s is refused', async (_, data, message) => await expect(decodeRelease(data)).rejects.toThrow(message));

  test('a secret says its release, revision and status', () => {
    const labels = { owner: 'helm', name: 'shop', version: '2', status: 'deployed', modifiedAt: '1700000000' };
    expect(revisionOf({ name: 'sh.helm.release.v1.shop.v2', namespace: 'a', labels })).toEqual({
      ...{ secret: 'sh.helm.release.v1.shop.v2', namespace: 'a', release: 'shop', revision: 2, status: 'deployed' },
      created: '2023-11-14T22:13:20.000Z',
    });
    expect(revisionOf({ name: 'x', labels: { ...labels, owner: 'other' } })).toBeUndefined();
    expect(revisionOf({ name: 'x', labels: { ...labels, version: '-1' } })).toBeUndefined();
  });
});
