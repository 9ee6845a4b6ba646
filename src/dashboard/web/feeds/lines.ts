// Lines of a response, as they come.

/** Yields all lines of a piece at once. Rejects when a line has more than `most` characters. */
export async function* linesOf(response: Response, most = 64 << 20): AsyncGenerator<string[]> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > most) throw new Error(`a line has more than ${most} characters`);
      if (lines.length > 0) yield lines;
    }
    if (rest) yield [rest];
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
