declare const process: { threadCpuUsage(): { user: number; system: number } };
declare function setInterval(callback: () => void, ms: number): unknown;
declare function clearInterval(timer: unknown): void;

const everyMs = 2;

/** The longest turn of the event loop during `run`, in time of this thread on a processor: other load does not count. */
export async function longestTurn(run: () => Promise<unknown>): Promise<number> {
  const spentMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  let [longest, last] = [0, spentMs()];
  const measure = () => {
    const now = spentMs();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(measure, everyMs);
  await run();
  clearInterval(timer);
  measure();
  return longest;
}
