import { describe, expect, test } from 'vitest';
import { cleanText, LogBuffer, logLine } from './log-lines.ts';

test.each([
  ['plain', 'plain'],
  ['\u001b[31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007after', 'after'],
  ['\u001b]52;c;aGk=\u001b\\after', 'after'],
  ['\u001bPdevice\u001b\\after', 'after'],
  ['a\u0008b\u0000c', 'a·b·c'],
  ['right to left \u202egnp.exe', 'right to left ·gnp.exe'],
  ['tab\tstays', 'tab\tstays'],
  ['line\r', 'line'],
  ['<script>alert(1)</script>', '<script>alert(1)</script>'],
])('cleans %j', (text, clean) => expect(cleanText(text)).toBe(clean));

test('cuts long lines', () => expect(cleanText('x'.repeat(20_000))).toHaveLength(10_001));

test.each([
  ['2026-01-02T03:04:05.6Z hello world', '2026-01-02T03:04:05.6Z', 'hello world'],
  ['no time here', '', 'no time here'],
  ['2026-01-02T03:04:05.6Z ', '2026-01-02T03:04:05.6Z', ''],
])('reads %j', (line, time, text) => expect(logLine(1, line)).toEqual({ source: 1, time, text }));

describe('the buffer', () => {
  const line = (source: number, second: number) => ({ source, time: `2026-01-01T00:00:${second}Z`, text: '' });
  const shown = (buffer: LogBuffer) => buffer.lines.map(({ source, time }) => `${source}@${time.slice(17, 19)}`);

  test('merges sources by time', () => {
    const buffer = new LogBuffer();
    buffer.add([line(1, 10), line(1, 20), line(1, 30)]);
    buffer.add([line(2, 15), line(2, 35)]);
    buffer.add([line(1, 40)]);
    expect(shown(buffer)).toEqual(['1@10', '2@15', '1@20', '1@30', '2@35', '1@40']);
  });

  test('drops the oldest of very many', () => {
    const buffer = new LogBuffer();
    for (let i = 0; i < 60; i++) buffer.add(Array.from({ length: 1_000 }, () => line(1, 10)));
    expect(buffer.lines.length).toBeLessThanOrEqual(55_000);
    expect(buffer.lines.length + buffer.dropped).toBe(60_000);
  });
});
