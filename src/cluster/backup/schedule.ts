// Backups by a schedule. The newest ones are kept; a failed one is repeated, and is a problem of the cluster until then.

import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { parseSchedule } from '../../machinery/time/cron-schedule.ts';
import { pack } from '../../store/store.ts';
import type { BackupFolder } from './folder.ts';

export interface ScheduleOptions {
  /** Names the files. */
  readonly cluster: string;
  readonly schedule: string;
  readonly folder: BackupFolder;
  readonly keep: number;
  readonly recipients: readonly string[];
  /** The bytes of a backup of now. */
  backup(): AsyncIterable<Uint8Array>;
}

interface ScheduledBackups {
  /** Why there is no backup of the last time in the schedule. */
  problem(): string | undefined;
  stop(): Promise<void>;
}

const retryMs = 300_000;
/** Timers are shorter than this, because they count no time while the machine sleeps. */
const longestWaitMs = 60_000;

export function scheduleBackups(
  options: ScheduleOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): ScheduledBackups {
  const schedule = parseSchedule(options.schedule);
  let due = schedule.next(clock.now());
  let problem: string | undefined;
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  let timer = wait();
  function wait() {
    const ms = due === undefined ? longestWaitMs : Math.max(0, Math.min(longestWaitMs, due - clock.now()));
    return clock.after(ms, () => (running = turn()), { background: true });
  }
  async function turn(): Promise<void> {
    if (due !== undefined && clock.now() >= due) {
      due = schedule.next(clock.now());
      try {
        const { name, size } = await backUp(options, clock.now());
        problem = undefined;
        logger.info('backup made', { name, bytes: size });
      } catch (error) {
        problem = `the scheduled backup failed: ${(error as Error).message}`;
        logger.error('backup failed', { error: String((error as Error).stack ?? error) });
        due = Math.min(due ?? Number.POSITIVE_INFINITY, clock.now() + retryMs);
      }
    }
    if (!isStopped) timer = wait();
  }
  return {
    problem: () => problem,
    async stop() {
      isStopped = true;
      timer.cancel();
      await running;
    },
  };
}

async function backUp(options: ScheduleOptions, nowMs: number): Promise<{ name: string; size: number }> {
  const { cluster, folder, keep, recipients } = options;
  const time = `${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const name = `${cluster}-${time}.backup`;
  const size = await folder.write(name, pack(options.backup(), { recipients }));
  const own = (await folder.list()).filter((each) => isScheduled(each, cluster)).sort();
  for (const old of own.slice(0, -keep)) await folder.remove(old);
  return { name, size };
}

/** Whether the schedule of this cluster made the file: no other file is removed. */
const isScheduled = (name: string, cluster: string): boolean =>
  name.startsWith(`${cluster}-`) && /^\d{8}T\d{6}Z\.backup$/.test(name.slice(cluster.length + 1));

/** The time in the name of a scheduled backup, in milliseconds since the epoch; undefined for another file. */
export function scheduledTime(name: string): number | undefined {
  const [, date, time] = /-(\d{8})T(\d{6})Z\.backup$/.exec(name) ?? [];
  if (date === undefined) return undefined;
  const ms = Date.parse(`${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
