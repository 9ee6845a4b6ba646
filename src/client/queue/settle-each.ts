// Requests for each of a list whose length users decide.

/** Requests in flight for one list: each holds memory until its answer. */
const mostInFlight = 64;

/** Acts on all items, on few at a time, in their order. Resolves when all have settled, as Promise.allSettled does. */
export async function settleEach<T, R>(
  items: readonly T[],
  act: (item: T, index: number) => Promise<R>,
): Promise<readonly PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = { status: 'fulfilled', value: await act(items[index], index) };
      } catch (reason) {
        results[index] = { status: 'rejected', reason };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(items.length, mostInFlight) }, work));
  return results;
}
