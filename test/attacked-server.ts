// An API server in a separate process, which reports the longest turn of its event loop and its memory during a
// request.

import { fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';

export interface Answer {
  readonly code: number;
  readonly text: string;
}

export type Measured = Answer & {
  /** The longest turn of the event loop, in time on a processor. */
  readonly waitMs: number;
  readonly megabytes: number;
};

export interface AttackedServer {
  readonly url: URL;
  send(
    method: string,
    path: string,
    body?: string | Buffer,
    type?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  measured(run: () => Promise<Answer>): Promise<Measured>;
  stop(): void;
}

export async function startAttackedServer({ isSecure = false, hasAdmission = false } = {}): Promise<AttackedServer> {
  const options = [...(isSecure ? ['tls'] : []), ...(hasAdmission ? ['admission'] : [])];
  const child = fork(new URL('./attacks-server.ts', import.meta.url), options, {
    execArgv: ['--stack-size=6000'],
  });
  const agent = isSecure
    ? new SecureAgent({ keepAlive: true, rejectUnauthorized: false })
    : new Agent({ keepAlive: true });
  const told = () => new Promise<any>((resolve) => child.once('message', resolve));
  const url = new URL((await told()).url);
  const read = () => {
    child.send('read');
    return told();
  };
  const send: AttackedServer['send'] = (method, path, body, type = 'json', more = {}) =>
    new Promise((resolve, reject) => {
      const headers = { ...(body !== undefined && { 'content-type': `application/${type}` }), ...more };
      const asked = (isSecure ? secureRequest : request)(
        { ...{ host: url.hostname, port: url.port, method, path, agent, headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () => resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
        },
      );
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed a kept connection while the request was on its way (https://nodejs.org/api/http.html#requestreusedsocket).
        if (asked.reusedSocket && error.code === 'ECONNRESET') resolve(send(method, path, body, type, more));
        else reject(error);
      });
      asked.end(body);
    });
  return {
    url,
    send,
    async measured(run) {
      await read();
      const { highest: before } = await read();
      const answer = await run();
      const { longestMs, highest } = await read();
      return { ...answer, waitMs: longestMs, megabytes: (highest - before) / 2 ** 20 };
    },
    stop() {
      agent.destroy();
      child.kill();
    },
  };
}
