// The browser's clock and timers. Other files of the page get time from here.

export const now = (): number => Date.now();

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
