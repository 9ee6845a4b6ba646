// One flipped bit anywhere in the database is either reported at start, with its position, or harmless.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { flushedPages } from '../../src/store/embedded/check.ts';
import { openStore, prefixRange, StoreUnusable, textOf } from '../../src/store/store.ts';
import { rounds, seed, seeded } from './long.ts';

const home = mkdtempSync(join(tmpdir(), 'coracle-bits-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function contents(directory: string): Promise<Record<string, string>> {
  const store = await openStore({ kind: 'embedded', directory, clock: systemClock });
  try {
    const { entries, revision } = await store.range(prefixRange('/registry/'));
    const texts = entries.map(({ key, value, ...numbers }) => [key, `${JSON.stringify(numbers)} ${textOf(value)}`]);
    return { ...Object.fromEntries(texts), revision };
  } finally {
    await store.close();
  }
}

test('a flipped bit is reported within two seconds, or was of no account', async () => {
  const random = seeded('flipped bits');
  const original = join(home, 'original');
  const store = await openStore({ kind: 'embedded', directory: original, clock: systemClock });
  for (let batch = 0; batch < 30; batch++)
    await Promise.all(
      Array.from({ length: 20 }, () => {
        const key = `/registry/pods/default/p${random.int(400)}`;
        const text = `{"a":"${Buffer.from(random.bytes(random.int(800))).toString('hex')}","b":"${'x'.repeat(random.int(2_000))}"}`;
        return store.commit([random.next() < 0.2 ? { key } : { key, value: text }]);
      }),
    );
  await store.grantLease(1_000);
  await store.close();
  const expected = await contents(original);
  const bytes = readFileSync(join(original, 'store.mdb'));
  const { used } = flushedPages(join(original, 'store.mdb'));
  let reported = 0;
  const trials = rounds(30, 3_000);
  for (let trial = 0; trial < trials; trial++) {
    const directory = join(home, String(trial));
    mkdirSync(directory);
    // Half of the flips hit pages in use; the first pages, which all others depend on, get a share.
    let at = trial % 8 === 0 ? random.int(200) + random.int(2) * 2048 : random.int(bytes.length);
    while (trial % 2 === 1 && !used[at >> 12]) at = random.int(bytes.length);
    const damagedBytes = Buffer.from(bytes);
    damagedBytes[at] ^= 1 << random.int(8);
    writeFileSync(join(directory, 'store.mdb'), damagedBytes);
    const beganMs = performance.now();
    const result = await contents(directory).catch((error) => error);
    expect(performance.now() - beganMs, `byte ${at}, seed ${seed}`).toBeLessThan(2_000);
    if (result instanceof StoreUnusable) {
      expect(result.message).toMatch(/damaged|format|version/i);
      reported++;
    } else if (JSON.stringify(result) !== JSON.stringify(expected))
      expect.unreachable(`byte ${at}, seed ${seed}: ${String(result).slice(0, 200)}`);
    rmSync(directory, { recursive: true });
  }
  expect(reported).toBeGreaterThan(trials / 5);
}, 1_200_000);
