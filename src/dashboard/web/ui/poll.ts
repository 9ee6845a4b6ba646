// Reads that repeat. A hidden page reads nothing, and reads at once when it is shown again.

import { after } from '../system.ts';

/**
 * Calls `read`, and again `ms` milliseconds after it is done, or after the time that it returns. It handles its own errors.
 * Returns a function that ends this.
 */
export function whileVisible(ms: number, read: () => Promise<number | void>): () => void {
  let isBusy = false;
  let isOver = false;
  let cancel = () => {};
  const run = async () => {
    cancel();
    if (document.hidden || isBusy || isOver) return;
    isBusy = true;
    const nextMs = (await read().catch(() => undefined)) ?? ms;
    isBusy = false;
    if (!isOver) cancel = after(nextMs, () => void run());
  };
  const change = () => void run();
  document.addEventListener('visibilitychange', change);
  change();
  return () => {
    isOver = true;
    cancel();
    document.removeEventListener('visibilitychange', change);
  };
}
