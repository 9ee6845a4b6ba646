import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { BackupFolder } from './folder.ts';
import { type ScheduleOptions, scheduleBackups } from './schedule.ts';

/** A folder in memory; `fault` makes writes fail. */
function memoryFolder() {
  const files = new Map<string, Uint8Array[]>();
  const state: { fault?: string } = {};
  const folder: BackupFolder = {
    async write(name, bytes) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes) chunks.push(chunk);
      if (state.fault) throw new Error(state.fault);
      files.set(name, chunks);
      return 1;
    },
    read: (name) => streamed(files.get(name) ?? []),
    list: async () => [...files.keys()],
    async remove(name) {
      files.delete(name);
    },
  };
  return { folder, files, state };
}

async function* streamed<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

function scheduled(change: Partial<ScheduleOptions> = {}, start = '2026-01-01T00:00:00Z') {
  const clock = new VirtualClock(Date.parse(start));
  const memory = memoryFolder();
  const options = { cluster: 'c', schedule: '0 3 * * *', folder: memory.folder, keep: 3, recipients: [] };
  const backup = () => streamed([Buffer.from('content')]);
  const backups = scheduleBackups({ ...options, backup, ...change }, { clock, logger: silentLogger });
  const names = () => [...memory.files.keys()].sort();
  return { ...memory, clock, backups, names };
}

const hourMs = 3_600_000;
/** Lets the work of a timer end, which takes real time. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 60_000) {
    await clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('scheduled backups', () => {
  test('are made at their times, and the newest are kept', async () => {
    const { clock, names, files, backups } = scheduled();
    for (const foreign of ['c-notes.txt', 'cc-20200101T000000Z.backup', 'c-other-20200101T000000Z.backup'])
      files.set(foreign, []);
    await pass(clock, 2 * hourMs);
    expect(names()).toHaveLength(3);
    await pass(clock, 24 * hourMs);
    expect(names()).toContain('c-20260101T030000Z.backup');
    await pass(clock, 96 * hourMs);
    expect(names()).toEqual([
      'c-20260103T030000Z.backup',
      'c-20260104T030000Z.backup',
      'c-20260105T030000Z.backup',
      'c-notes.txt',
      'c-other-20200101T000000Z.backup',
      'cc-20200101T000000Z.backup',
    ]);
    await backups.stop();
    await pass(clock, 48 * hourMs);
    expect(names()).toHaveLength(6);
  });

  test('are repeated after a failure, which is a problem until then, and no older one is removed', async () => {
    const { clock, names, files, state, backups } = scheduled({ keep: 1 });
    files.set('c-20251231T030000Z.backup', []);
    state.fault = 'the disk is full';
    await pass(clock, 3 * hourMs);
    expect(backups.problem()).toBe('the scheduled backup failed: the disk is full');
    expect(names()).toEqual(['c-20251231T030000Z.backup']);
    await pass(clock, hourMs / 3);
    delete state.fault;
    await pass(clock, 6 * 60_000);
    expect(backups.problem()).toBeUndefined();
    expect(names()).toEqual([expect.stringMatching(/^c-20260101T03(2[0-9])00Z\.backup$/)]);
    await backups.stop();
  });

  test('have the time zone of their schedule', async () => {
    const { clock, names, backups } = scheduled({ schedule: 'TZ=Asia/Tokyo 0 3 * * *' });
    await pass(clock, 20 * hourMs);
    expect(names()).toEqual(['c-20260101T180000Z.backup']);
    await backups.stop();
  });

  test('wait for each other', async () => {
    let running = 0;
    let most = 0;
    const slow = async function* (): AsyncIterable<Uint8Array> {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 30));
      running--;
      yield Buffer.from('x');
    };
    const { clock, backups, names } = scheduled({ schedule: '@every 60s', backup: slow });
    for (let i = 0; i < 5; i++) await clock.advance(60_000);
    await backups.stop();
    expect(most).toBe(1);
    expect(names().length).toBeGreaterThan(0);
  });
});
