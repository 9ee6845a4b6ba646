// Streams to processes and servers that do not exist.

import { Duplex, PassThrough } from 'node:stream';
import type { ExecSession } from '../interface.ts';

const unread = (): PassThrough => new PassThrough().resume();

/** The session of a command that has printed all that it will and ended. */
export function answered(result: { exitCode: number; stdout?: string; stderr?: string }): ExecSession {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  stdout.end(result.stdout);
  stderr.end(result.stderr);
  return { stdin: unread(), stdout, stderr, resize() {}, exitCode: Promise.resolve(result.exitCode), close() {} };
}

/** A silent session until `whenEnded` calls back with the exit code. */
export function lasting(whenEnded: (ended: (exitCode: number) => void) => void): ExecSession {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const close = () => {
    stdout.end();
    stderr.end();
  };
  const exitCode = new Promise<number>((resolve) =>
    whenEnded((code) => {
      close();
      resolve(code);
    }),
  );
  return { stdin: unread(), stdout, stderr, resize() {}, exitCode, close };
}

/** A server that answers the first bytes it gets as HTTP, with `text`, and closes. */
export function greeting(text: string): Duplex {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}`;
  let hasAnswered = false;
  return new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      if (!hasAnswered) {
        hasAnswered = true;
        this.push(`${head}\r\nConnection: close\r\n\r\n${text}`);
        this.push(null);
      }
      done();
    },
    final(done) {
      if (!hasAnswered) this.push(null);
      done();
    },
  });
}
