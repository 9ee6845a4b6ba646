import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Appends output to the log of a container, in the format of the CRI. */
export async function appendToLog(path: string, output: string, nowMs: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const time = new Date(nowMs).toISOString().replace('Z', '000000Z');
  const lines = output.split('\n');
  if (lines.at(-1) === '') lines.pop();
  await appendFile(path, lines.map((line) => `${time} stdout F ${line}\n`).join(''));
}
