// Lines of logs: cleaned, merged by time, and bounded.

export interface LogLine {
  readonly source: number;
  /** RFC 3339, as the kubelet wrote it. */
  readonly time: string;
  readonly text: string;
}

/** Lines that are kept, and characters of each. */
const mostLines = 50_000;
const mostCharacters = 10_000;

// Sequences of terminals: CSI, OSC and other strings, two-character escapes; and other control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for these
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for these
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export function cleanText(text: string): string {
  if (text.length <= mostCharacters && !controls.test(text)) return text;
  controls.lastIndex = 0;
  const cut = text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;
  return cut.replace(escapes, '').replace(/\r$/, '').replace(controls, '·');
}

/** A line as the API sends it with timestamps=true. */
export function logLine(source: number, line: string): LogLine {
  const space = line.indexOf(' ');
  const time = space > 0 && /^\d{4}-\d\d-\d\dT/.test(line) ? line.slice(0, space) : '';
  return { source, time, text: cleanText(time ? line.slice(space + 1) : line) };
}

export class LogBuffer {
  #lines: LogLine[] = [];
  /** Lines that were dropped because there were too many. */
  dropped = 0;

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** `added` is in order; other sources may be ahead of it. */
  add(added: readonly LogLine[]): void {
    const [first] = added;
    if (!first) return;
    let start = this.#lines.length;
    while (start > 0 && first.time && this.#lines[start - 1].time > first.time) start--;
    if (start === this.#lines.length) for (const line of added) this.#lines.push(line);
    else this.#lines.push(...merged(this.#lines.splice(start), added));
    const extra = this.#lines.length - mostLines;
    if (extra > mostLines / 10) {
      this.#lines = this.#lines.slice(extra);
      this.dropped += extra;
    }
  }

  clear(): void {
    this.#lines = [];
    this.dropped = 0;
  }
}

function merged(a: readonly LogLine[], b: readonly LogLine[]): LogLine[] {
  const all: LogLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) all.push(b[j].time < a[i].time ? b[j++] : a[i++]);
  return [...all, ...a.slice(i), ...b.slice(j)];
}
