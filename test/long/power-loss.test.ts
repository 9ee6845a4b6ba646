// After a power loss the disk has all flushed data, and any part of any page written since. The writer's process is
// stopped, and copies of its file lose unflushed data.

import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Random } from '../../src/machinery/random.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { flushedPages } from '../../src/store/embedded/check.ts';
import { openStore, prefixRange, textOf } from '../../src/store/store.ts';
import { rounds, seed, seeded } from './long.ts';
import { Ledger } from './store-ledger.ts';

const home = mkdtempSync(join(tmpdir(), 'coracle-power-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

const pageSize = 4096;

/** The file with every unflushed page either new, old, empty or garbage, and possibly truncated. */
function afterPowerLoss(file: string, before: Buffer, random: Random): Buffer {
  const bytes = readFileSync(file);
  const { used, lastPage } = flushedPages(file);
  const metas = [0, pageSize].filter(() => random.next() < 0.5);
  // The first half of the first page is the meta of even transactions; the second half, of flushed transactions, is on
  // the disk.
  for (const at of metas) before.copy(bytes, at, at, at + pageSize / 2);
  for (let page = 2; page < used.length; page++) {
    if (used[page]) continue;
    const choice = random.int(4);
    const at = page * pageSize;
    if (choice === 1) bytes.fill(0, at, at + pageSize);
    if (choice === 2 && at < before.length) before.copy(bytes, at, at, at + pageSize);
    if (choice === 3) Buffer.from(random.bytes(pageSize)).copy(bytes, at);
  }
  return random.next() < 0.5 ? bytes.subarray(0, (lastPage + 1) * pageSize) : bytes;
}

async function sequencesIn(directory: string): Promise<Map<string, number>> {
  const store = await openStore({ kind: 'embedded', directory, clock: systemClock });
  try {
    const { entries } = await store.range(prefixRange('/registry/'));
    await store.commit([{ key: '/registry/after', value: 'x' }]);
    return new Map(entries.map(({ key, value }) => [key, Number(textOf(value).split(' ')[0])]));
  } finally {
    await store.close();
  }
}

test('every start after a power loss has every acknowledged write and none that was taken back', async () => {
  const random = seeded('power loss');
  const live = join(home, 'live');
  mkdirSync(live);
  const program = join(import.meta.dirname, 'store-writer.ts');
  const child = spawn(process.execPath, [program, live, '12', String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const ledger = new Ledger();
  child.stdout.setEncoding('utf8').on('data', (text) => ledger.add(text));
  while (ledger.count < 100) await systemClock.sleep(20);
  const file = join(live, 'store.mdb');
  let before = readFileSync(file);
  for (let round = 0; round < rounds(4, 150); round++) {
    await systemClock.sleep(20 + random.int(150));
    child.kill('SIGSTOP');
    // Pending kernel work ends, and printed lines arrive.
    await systemClock.sleep(60);
    for (let loss = 0; loss < 4; loss++) {
      const copy = join(home, `${round}-${loss}`);
      mkdirSync(copy);
      copyFileSync(join(live, 'made'), join(copy, 'made'));
      writeFileSync(join(copy, 'store.mdb'), afterPowerLoss(file, before, random));
      expect(ledger.faults(await sequencesIn(copy)), `round ${round}, loss ${loss}, seed ${seed}`).toEqual([]);
      rmSync(copy, { recursive: true });
    }
    before = readFileSync(file);
    child.kill('SIGCONT');
  }
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(ledger.faults(await sequencesIn(live))).toEqual([]);
}, 1_200_000);
