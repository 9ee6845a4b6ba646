// Writes to an embedded store without end, and prints each started and each acknowledged write. It runs in a separate
// process, which tests stop and kill. Arguments: directory, writers, seed.

import { writeSync } from 'node:fs';
import { seededRandom } from '../../src/machinery/random.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { openStore } from '../../src/store/store.ts';

const [directory, writers, seed] = process.argv.slice(2);
const store = await openStore({ kind: 'embedded', directory, clock: systemClock });
const random = seededRandom(Number(seed));
const keysOfWriter = 40;

async function write(writer: number): Promise<void> {
  for (let sequence = 1; ; sequence++) {
    const key = `/registry/pods/w${writer}/k${random.int(keysOfWriter)}`;
    const isDelete = random.next() < 0.2;
    const size = random.next() < 0.03 ? random.int(60_000) : random.int(3_000);
    const filler = Buffer.from(random.bytes(Math.ceil(size / 2))).toString('hex');
    writeSync(1, `begin ${key} ${isDelete ? 0 : sequence}\n`);
    await store.commit([isDelete ? { key } : { key, value: `${sequence} ${filler}` }]);
    writeSync(1, `acknowledged ${key} ${isDelete ? 0 : sequence}\n`);
    if (random.next() < 0.002) await store.compact(await store.revision());
  }
}

await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
