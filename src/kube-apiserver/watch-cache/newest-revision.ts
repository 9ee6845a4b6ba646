// The store's newest revision, for reads that must see it: one question to the store answers all that wait.

/** Returns a function that resolves with a revision that was the newest after the call. */
export function newestRevision(ask: () => Promise<number>): () => Promise<number> {
  let current: Promise<number> | undefined;
  let following: Promise<number> | undefined;
  const begin = () => {
    const asking = ask();
    const end = () => {
      current = undefined;
    };
    current = asking;
    asking.then(end, end);
    return asking;
  };
  return () => {
    // A question in progress may be answered with a state from before this call.
    if (!current) return begin();
    const end = () => {
      following = undefined;
      return begin();
    };
    following ??= current.then(end, end);
    return following;
  };
}
