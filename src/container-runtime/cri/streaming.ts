// Exec, attach and port-forward on the URLs that a CRI runtime gives (k8s.io/cri-client, remotecommand v4).

import type { Duplex } from 'node:stream';
import type { ExecSession } from '../interface.ts';
import { RuntimeError } from '../runtime-error.ts';
import { dialSpdy } from './spdy-client.ts';

export interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export async function streamSession(url: string, options: StreamOptions): Promise<ExecSession> {
  const connection = await dialSpdy(url, ['v4.channel.k8s.io']);
  const open = (name: string) => connection.open({ streamtype: name });
  const error = await open('error');
  const stdin = options.stdin ? await open('stdin') : undefined;
  const stdout = await open('stdout');
  const stderr = options.stderr && !options.tty ? await open('stderr') : undefined;
  const resize = options.tty ? await open('resize') : undefined;
  stdout.end();
  stderr?.end();
  const exitCode = statusOf(error, connection.closed);
  // The runtime leaves closing the connection to this side.
  void exitCode
    .then(
      () => {},
      () => {},
    )
    .finally(() => setImmediate(() => connection.close()));
  return {
    stdin,
    stdout,
    stderr,
    resize: (columns, rows) => void resize?.write(JSON.stringify({ Width: columns, Height: rows })),
    exitCode,
    close: () => connection.close(),
  };
}

/** The end of the session, as a Status on its error stream. */
async function statusOf(error: Duplex, closed: Promise<void>): Promise<number> {
  error.end();
  let text = '';
  for await (const chunk of error) text += chunk;
  if (!text) {
    await closed;
    throw new RuntimeError('unavailable', 'the session ended without a status');
  }
  const status = JSON.parse(text);
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find((entry: { reason: string }) => entry.reason === 'ExitCode');
  if (cause) return Number(cause.message);
  throw new RuntimeError('start', status.message ?? 'the command could not be run');
}

export async function streamPort(url: string, port: number): Promise<Duplex> {
  const connection = await dialSpdy(url, ['portforward.k8s.io']);
  const headers = { port: String(port), requestid: '0' };
  const error = await connection.open({ ...headers, streamtype: 'error' });
  const data = await connection.open({ ...headers, streamtype: 'data' });
  error.end();
  let text = '';
  error.on('data', (chunk) => (text += chunk));
  error.on('end', () => {
    if (text) data.destroy(new RuntimeError('unavailable', text.trim()));
  });
  data.on('close', () => connection.close());
  return data;
}
