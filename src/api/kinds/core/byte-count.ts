/** The number of bytes that a text in base64 stands for. */
export const byteCount = (text: string): number =>
  Math.floor((text.length * 3) / 4) - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
