/** Sorts texts in place. What comes in order, as most of it does, is not sorted again. */
export function inOrder(texts: string[]): string[] {
  for (let i = 1; i < texts.length; i++) if (texts[i - 1] > texts[i]) return texts.sort();
  return texts;
}
