/** Sorts texts in place. Sorted input, which is the most frequent, is not sorted again. */
export function inOrder(texts: string[]): string[] {
  for (let i = 1; i < texts.length; i++) if (texts[i - 1] > texts[i]) return texts.sort();
  return texts;
}

/** Compares by UTF-16 units, as sorting without a function does. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
