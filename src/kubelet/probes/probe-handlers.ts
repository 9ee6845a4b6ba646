// One try of a probe or of a lifecycle hook: exec, httpGet, tcpSocket, grpc.

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Container, Probe } from '../../api/api.ts';
import { type ContainerRuntime, RuntimeError } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { grpcProbe } from './grpc-probe.ts';

export interface ProbeTarget {
  readonly containerId: string;
  readonly sandboxId: string;
  readonly podIP: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface ProbeOutcome {
  readonly success: boolean;
  readonly message: string;
}

/** How much of an answer or an output a message quotes. */
const quotedBytes = 1024 * 10;

/** Never throws: an error is a failed probe. */
export async function runProbe(
  runtime: ContainerRuntime,
  clock: Clock,
  probe: Probe,
  container: Container,
  target: ProbeTarget,
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec) return await execProbe(runtime, probe.exec.command ?? [], target, timeoutMs);
    const network = networkProbe(probe, container, target);
    if (runtime.probe) return await runtime.probe(target.sandboxId, network);
    if (probe.httpGet) return await httpProbe(clock, probe.httpGet, network, timeoutMs);
    if (probe.tcpSocket) return await tcpProbe(clock, network, timeoutMs);
    if (probe.grpc) return await grpcProbe(clock, { ...network, service: network.path ?? '' }, timeoutMs);
    return { success: true, message: '' };
  } catch (error) {
    return { success: false, message: (error as Error).message };
  }
}

async function execProbe(
  runtime: ContainerRuntime,
  command: readonly string[],
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  try {
    const { stdout, stderr, exitCode } = await runtime.execSync(target.containerId, command, timeoutMs);
    const output = Buffer.concat([stdout, stderr]).subarray(0, quotedBytes).toString();
    return { success: exitCode === 0, message: output };
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === 'timeout')
      return {
        success: false,
        message: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`,
      };
    throw error;
  }
}

type NetworkProbe = Parameters<NonNullable<ContainerRuntime['probe']>>[1];

function networkProbe(probe: Probe, container: Container, target: ProbeTarget): NetworkProbe {
  if (probe.httpGet) {
    const { host, port, path } = probe.httpGet;
    return { kind: 'httpGet', host: host || target.podIP, port: portNumber(port, container), path: path ?? '/' };
  }
  if (probe.tcpSocket)
    return {
      kind: 'tcpSocket',
      host: probe.tcpSocket.host || target.podIP,
      port: portNumber(probe.tcpSocket.port, container),
    };
  return { kind: 'grpc', host: target.podIP, port: probe.grpc?.port ?? 0, path: probe.grpc?.service ?? '' };
}

function portNumber(port: number | string, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port)?.containerPort;
  const found = named ?? Number(port);
  if (!Number.isInteger(found) || found < 1 || found > 65535)
    throw new Error(`couldn't find port: ${JSON.stringify(port)}`);
  return found;
}

function httpProbe(
  clock: Clock,
  action: NonNullable<Probe['httpGet']>,
  { host, port, path }: NetworkProbe,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const secure = action.scheme === 'HTTPS';
  const url = `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${path?.startsWith('/') ? path : `/${path}`}`;
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.36', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  return new Promise((resolve) => {
    const done = (success: boolean, message: string) => {
      timer.cancel();
      resolve({ success, message });
    };
    const request = (secure ? https : http).get(
      url,
      { headers, agent: false, rejectUnauthorized: false },
      (response) => {
        response.resume();
        const code = response.statusCode ?? 0;
        request.destroy();
        done(
          code >= 200 && code < 400,
          code >= 200 && code < 400 ? 'ok' : `HTTP probe failed with statuscode: ${code}`,
        );
      },
    );
    const timer = clock.after(timeoutMs, () => {
      done(false, `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`);
      request.destroy();
    });
    request.on('error', (error: NodeJS.ErrnoException) => done(false, `Get "${url}": ${dialText(error, host, port)}`));
  });
}

const dialText = (error: NodeJS.ErrnoException, host: string, port: number) =>
  error.code === 'ECONNREFUSED' ? `dial tcp ${host}:${port}: connect: connection refused` : error.message;

function tcpProbe(clock: Clock, { host, port }: NetworkProbe, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    const done = (success: boolean, message: string) => {
      timer.cancel();
      socket.destroy();
      resolve({ success, message });
    };
    const timer = clock.after(timeoutMs, () => done(false, `dial tcp ${host}:${port}: i/o timeout`));
    socket.on('connect', () => done(true, ''));
    socket.on('error', (error) => done(false, dialText(error, host, port)));
  });
}

/** A lifecycle hook. Rejects when it fails. https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/ */
export async function runHook(
  runtime: ContainerRuntime,
  clock: Clock,
  hook: NonNullable<NonNullable<Container['lifecycle']>['preStop']>,
  container: Container,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<void> {
  if (hook.sleep) return clock.sleep(Math.min(hook.sleep.seconds * 1000, timeoutMs));
  const probe: Probe = {
    exec: hook.exec,
    httpGet: hook.httpGet,
    tcpSocket: hook.tcpSocket,
    timeoutSeconds: Math.max(1, timeoutMs / 1000),
  };
  const { success, message } = await runProbe(runtime, clock, probe, container, target);
  if (!success) throw new Error(message);
}
