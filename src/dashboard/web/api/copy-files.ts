// Copies files out of and into a container, with the tar of its image, as `kubectl cp` does.

import { type Archive, readTar, type TarFile, writeTar } from '../model/tar.ts';
import { openStream, type StreamTarget } from './stream.ts';

export type CopyPlace = Pick<StreamTarget, 'namespace' | 'pod' | 'container'>;

/** A browser holds them in memory. */
export const mostBytes = 256 << 20;
const mostErrorText = 4 << 10;
/** Below the limits of proxies on the way. */
const piece = 32 << 10;

/** `path` is a file or directory of the container. */
export async function copyOut(
  place: CopyPlace,
  path: string,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Archive> {
  const [directory, name] = split(path);
  // Names after -- are no options; of `directory`, the argument of -C, the dot keeps one off.
  const command = ['tar', 'cf', '-', '-C', directory, '--', name];
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  await run({ ...place, verb: 'exec', command }, [], signal, (bytes) => {
    total += bytes.length;
    if (total > mostBytes) throw new Error(`more than ${mostBytes >> 20} MiB: use kubectl cp`);
    chunks.push(bytes);
    onProgress(total);
  });
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return readTar(whole);
}

export function copyIn(
  place: CopyPlace,
  directory: string,
  files: readonly TarFile[],
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const command = ['tar', '-xmf', '-', '-C', safeArgument(directory)];
  return run({ ...place, verb: 'exec', command, stdin: true }, writeTar(files), signal, undefined, onProgress);
}

/** The directory and the name in it; '.' for a path that is a root. */
function split(path: string): readonly [string, string] {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  const name = trimmed.slice(slash + 1);
  if (name === '' || name === '.' || name === '..') return [safeArgument(path || '.'), '.'];
  return [slash < 0 ? '.' : safeArgument(trimmed.slice(0, slash) || '/'), name];
}

const safeArgument = (path: string): string => (path.startsWith('-') ? `./${path}` : path);

async function run(
  target: StreamTarget,
  input: readonly Uint8Array[],
  signal: AbortSignal,
  onOutput: (bytes: Uint8Array<ArrayBuffer>) => void = () => {},
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  let errors = '';
  const decoder = new TextDecoder();
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  const stream = openStream(target, {
    onOpen: open,
    onOutput(bytes, isError) {
      try {
        if (isError) errors = (errors + decoder.decode(bytes, { stream: true })).slice(0, mostErrorText);
        else onOutput(bytes);
      } catch (error) {
        fail(error);
      }
    },
    onEnd: (reason) => (reason ? fail(new Error([errors.trim(), reason].filter(Boolean).join(' · '))) : end()),
  });
  signal.addEventListener('abort', () => fail(signal.reason), { once: true });
  try {
    await Promise.race([opened, ended]);
    if (target.stdin) await Promise.race([send(stream, input, onSent), ended]);
    await ended;
  } finally {
    stream.close();
  }
}

async function send(
  stream: ReturnType<typeof openStream>,
  input: readonly Uint8Array[],
  onSent: (bytes: number) => void,
): Promise<void> {
  let sent = 0;
  for (const bytes of input)
    for (let at = 0; at < bytes.length; at += piece) {
      const part = bytes.subarray(at, at + piece);
      stream.write(part);
      await stream.drained();
      onSent((sent += part.length));
    }
  stream.finish();
}
