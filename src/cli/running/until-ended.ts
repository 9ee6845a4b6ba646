// The end of a program that serves: by a signal, or together with the process that started it.

import { systemClock } from '../../machinery/time/clock.ts';

/** Names the process that started this one: where it ends, by kill -9 too, this one ends. Set by the envtest programs. */
export const parentVariable = 'CORACLE_PARENT';

const parentCheckMs = 200;
/** Pending work may delay stopping; after this time the process exits anyway. */
const stopTimeoutMs = 20_000;

/** `stop` ends the work that runs at that moment, and may take `extraMs` longer than usual. */
export function endWith(stop: () => Promise<void>, extraMs = 0): (code: number) => void {
  let isEnding = false;
  const end = (code: number) => {
    if (isEnding) return;
    isEnding = true;
    systemClock.after(stopTimeoutMs + extraMs, () => process.exit(1), { background: true });
    void stop().then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', () => end(0));
  process.on('SIGINT', () => end(0));
  const parent = Number(process.env[parentVariable]);
  if (parent > 0) watchParent(parent, () => end(0));
  return end;
}

function watchParent(parent: number, end: () => void): void {
  const check = () => {
    // The kernel gives an orphaned process another parent.
    if (process.ppid !== parent) end();
    else systemClock.after(parentCheckMs, check, { background: true });
  };
  check();
}
