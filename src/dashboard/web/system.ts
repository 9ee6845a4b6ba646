// The browser's clock and timers. Other files of the page get time from here.

/** The cluster's time may run at another pace than the browser's. */
let aheadMs = 0;

export const now = (): number => Date.now() + aheadMs;

/** A second of difference is that of the machines' clocks. */
export function setClusterTime(nowMs: number): void {
  const ahead = nowMs - Date.now();
  aheadMs = Math.abs(ahead) > 1_000 ? ahead : 0;
}

/** Calls back once; returns a function that cancels. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

/** Calls back again and again until the returned function is called. */
export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms);
  return () => clearInterval(timer);
}

/** Milliseconds from an arbitrary start, for durations. */
export const monotonic = (): number => performance.now();
