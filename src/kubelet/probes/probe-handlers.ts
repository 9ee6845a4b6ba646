// One try of a probe: exec, httpGet, tcpSocket, grpc.

import net from 'node:net';
import type { Container, Probe } from '../../api/api.ts';
import { type ContainerRuntime, RuntimeError } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { expandAll } from '../containers/environment.ts';
import { grpcProbe } from './grpc-probe.ts';
import { dialText, EndlessBody, httpGet, NoAnswer } from './http-get.ts';

export interface ProbeTarget {
  readonly containerId: string;
  readonly sandboxId: string;
  readonly podIP: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export type ProbeOutcome =
  /** A warning is a success that is reported. */
  | { readonly result: 'success' | 'warning' | 'failure'; readonly message: string }
  /** The probe could not be made: it says nothing about the container. */
  | { readonly result: 'error'; readonly state: 'unknown' | 'failure'; readonly message: string };

/** The maximum output that a message quotes. */
const quotedBytes = 1024 * 10;

/** Never throws. */
export async function runProbe(
  runtime: ContainerRuntime,
  clock: Clock,
  probe: Probe,
  container: Container,
  target: ProbeTarget,
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec) return await execProbe(runtime, commandOf(probe.exec.command, container), target, timeoutMs);
    const network = networkProbe(probe, container, target);
    if (runtime.probe) return outcomeOf(await runtime.probe(target.sandboxId, network));
    if (probe.httpGet) return await httpProbe(clock, probe.httpGet, network, timeoutMs);
    if (probe.tcpSocket) return outcomeOf(await tcpProbe(clock, network, timeoutMs));
    return outcomeOf(await grpcProbe(clock, { ...network, service: network.path ?? '' }, timeoutMs));
  } catch (error) {
    return {
      result: 'error',
      state: error instanceof EndlessBody ? 'failure' : 'unknown',
      message: (error as Error).message,
    };
  }
}

const outcomeOf = ({ success, message }: { success: boolean; message: string }): ProbeOutcome => ({
  result: success ? 'success' : 'failure',
  message,
});

/** Only the literal variables of the container are known. */
function commandOf(command: readonly string[] = [], { env = [] }: Container): readonly string[] {
  const variables = new Map(env.map(({ name, value = '' }) => [name, value]));
  return expandAll(command, variables);
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
    return outcomeOf({ success: exitCode === 0, message: output });
  } catch (error) {
    if (!(error instanceof RuntimeError) || error.kind !== 'timeout') throw error;
    const message = `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`;
    return { result: 'failure', message };
  }
}

type NetworkProbe = Parameters<NonNullable<ContainerRuntime['probe']>>[1];

/** Where a probe or a hook connects to. Throws for a port that does not exist. */
export function networkProbe(
  { httpGet: http, tcpSocket, grpc }: Pick<Probe, 'httpGet' | 'tcpSocket' | 'grpc'>,
  container: Container,
  { podIP }: ProbeTarget,
): NetworkProbe {
  if (http) {
    const { host, port, path } = http;
    return { kind: 'httpGet', host: host || podIP, port: portNumber(port, container), path: path ?? '/' };
  }
  if (tcpSocket)
    return { kind: 'tcpSocket', host: tcpSocket.host || podIP, port: portNumber(tcpSocket.port, container) };
  if (grpc) return { kind: 'grpc', host: podIP, port: grpc.port, path: grpc.service ?? '' };
  throw new Error(`missing probe handler for ${container.name}`);
}

function portNumber(port: number | string, container: Container): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  if (named === undefined && typeof port === 'string' && !/^[+-]?\d+$/.test(port))
    throw new Error(`strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax`);
  const found = named ?? Number(port);
  if (found < 1 || found > 65535) throw new Error(`invalid port number: ${found}`);
  return found;
}

async function httpProbe(
  clock: Clock,
  action: NonNullable<Probe['httpGet']>,
  { host, port, path = '' }: NetworkProbe,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  try {
    const { code, body } = await httpGet(clock, {
      ...{ action, host, port, path, timeoutMs },
      purpose: 'probe',
      leavesHost: false,
    });
    if (code < 200 || code >= 400) return { result: 'failure', message: `HTTP probe failed with statuscode: ${code}` };
    return code < 300
      ? { result: 'success', message: body }
      : { result: 'warning', message: `Probe terminated redirects, Response body: ${body}` };
  } catch (error) {
    if (error instanceof NoAnswer) return { result: 'failure', message: error.message };
    throw error;
  }
}

function tcpProbe(
  clock: Clock,
  { host, port }: NetworkProbe,
  timeoutMs: number,
): Promise<{ success: boolean; message: string }> {
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
