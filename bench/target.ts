// One Kubernetes to measure: its address, and the resource usage of its processes.

import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type Kubeconfig, loadKubeconfig } from '../src/client/client.ts';

export interface Answer {
  readonly code: number;
  readonly body: Buffer;
}

export interface Target {
  readonly name: string;
  readonly kubeconfig: string;
  request(method: string, path: string, body?: object | string, contentType?: string): Promise<Answer>;
  /** Opens a watch; `onEvent` gets each line. Returns the function that ends it. */
  watch(path: string, onEvent: (line: string) => void): Promise<() => void>;
  /** CPU time of the server's processes so far, in microseconds; undefined without --pids. */
  serverCpuMicros(): number | undefined;
  /** Resident memory of the server's processes, in bytes. */
  serverMemoryBytes(): number | undefined;
  /** The same cluster, with separate connections, as the user of a token. */
  as(token: string): Target;
  close(): void;
}

const sessions = 4;
const ticksPerSecond = 100;

/** `pids`: the processes of the server, where they run on this machine. */
export async function openTarget(name: string, kubeconfig: string, pids: readonly number[]): Promise<Target> {
  return openAs(name, kubeconfig, await loadKubeconfig(kubeconfig), pids);
}

function openAs(name: string, kubeconfig: string, config: Kubeconfig, pids: readonly number[]): Target {
  const { server, ca, cert, key, token } = config;
  const connect = () => {
    const session = http2.connect(server, { ca, cert, key, settings: { initialWindowSize: 4 << 20 } });
    session.once('connect', () => session.setLocalWindowSize(64 << 20));
    session.on('error', () => {});
    return session;
  };
  const pool = Array.from({ length: sessions }, connect);
  const extra: http2.ClientHttp2Session[] = [];
  let next = 0;
  let watches = 0;
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    'user-agent': 'bench',
    accept: 'application/json',
  };

  return {
    name,
    kubeconfig,
    request(method, path, body, contentType = 'application/json') {
      const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
      return new Promise((resolve, reject) => {
        const stream = pool[next++ % sessions].request({
          ':method': method,
          ':path': path,
          ...headers,
          ...(payload && { 'content-type': contentType }),
        });
        const chunks: Buffer[] = [];
        let code = 0;
        stream.on('response', (response) => {
          code = response[':status'] ?? 0;
        });
        stream.on('data', (chunk) => chunks.push(chunk));
        stream.on('end', () => resolve({ code, body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks) }));
        stream.on('error', reject);
        stream.end(payload);
      });
    },
    watch(path, onEvent) {
      // A session takes a limited number of streams: a hundred watches each.
      if (watches++ % 100 === 0) extra.push(connect());
      const stream = extra.at(-1)!.request({ ':method': 'GET', ':path': path, ...headers });
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) onEvent(line);
      });
      stream.on('error', () => {});
      return new Promise((resolve) => stream.once('response', () => resolve(() => stream.close())));
    },
    serverCpuMicros: () => (pids.length > 0 ? pids.reduce((sum, pid) => sum + cpuMicros(pid), 0) : undefined),
    serverMemoryBytes: () => (pids.length > 0 ? pids.reduce((sum, pid) => sum + memoryBytes(pid), 0) : undefined),
    as: (other) => openAs(name, kubeconfig, { ...config, cert: undefined, key: undefined, token: other }, pids),
    close() {
      for (const session of [...pool, ...extra]) session.destroy();
    },
  };
}

function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
}

function memoryBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Runs `work` for each of `count` indexes, `width` at a time. */
export async function inFlight(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** Throws for an unexpected status: a benchmark of errors is useless. */
export function expectCode(answer: Answer, ...codes: number[]): Answer {
  if (!codes.includes(answer.code))
    throw new Error(`the server answered ${answer.code}: ${answer.body.toString().slice(0, 300)}`);
  return answer;
}

/** Fails on timeout, with the progress so far. */
export async function within(timeoutMs: number, work: Promise<void>, state: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${timeoutMs / 1000} s: ${state()}`)), timeoutMs);
  });
  await Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}
