import { describe, expect, test } from 'vitest';
import { hourMs, minuteMs, signingCluster } from './test-signing.ts';

const cluster = signingCluster();
const { ask, decide, read, signed, failed, skipAhead } = cluster;

describe('cleaning', () => {
  test.each<[string, string | undefined, number]>([
    ['pending', undefined, 24 * hourMs],
    ['denied', 'Denied', hourMs],
    ['approved and unsigned', 'Approved', 24 * hourMs],
  ])('a %s request is deleted after its retention', async (_, type, after) => {
    const name = await ask({ signer: 'example.com/x' });
    if (type) await decide(name, type);
    await skipAhead(after - 2_000);
    expect(await read(name)).toBeDefined();
    await cluster.clock.advance(4_000);
    expect(await read(name)).toBeUndefined();
  });

  test('a signed one after an hour, or with its certificate', async () => {
    const [long, short] = [await ask(), await ask({ expirationSeconds: 600 })];
    for (const name of [long, short]) {
      await decide(name);
      await signed(name);
    }
    await cluster.clock.advance(11 * minuteMs);
    expect(await read(short)).toBeUndefined();
    expect(await read(long)).toBeDefined();
    await cluster.clock.advance(50 * minuteMs);
    expect(await read(long)).toBeUndefined();
  });

  test('a failed one after an hour', async () => {
    const name = await ask({ usages: ['server auth'] });
    await decide(name);
    await failed(name);
    await cluster.clock.advance(59 * minuteMs);
    expect(await read(name)).toBeDefined();
    await cluster.clock.advance(2 * minuteMs);
    expect(await read(name)).toBeUndefined();
  });
});
