// Lifecycle hooks. https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/

import type { Container, HTTPGetAction, Lifecycle, Pod } from '../../api/api.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type HttpGet, httpGet, NoAnswer } from './http-get.ts';
import { networkProbe, type ProbeTarget } from './probe-handlers.ts';

type Hook = NonNullable<Lifecycle['preStop']>;

interface HookTools {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  /** Reports a warning about the pod. */
  readonly warn: (reason: string, message: string) => void;
}

/** Rejects with Kubernetes' text when the hook fails. The text has the output of a command, which may be secret. */
export async function runHook(
  tools: HookTools,
  hook: Hook,
  pod: Pod,
  container: Container,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const where = `for Container "${container.name}" in Pod "${name}_${namespace}(${uid})" failed - error:`;
  const fail = (kind: string, subject: unknown) => (error: Error) => {
    throw new Error(`${kind} lifecycle hook (${subject}) ${where} ${error.message}`);
  };
  if (hook.exec) {
    const { command = [] } = hook.exec;
    return runCommand(tools, command, target, timeoutMs).catch(fail('Exec', `[${command.join(' ')}]`));
  }
  if (hook.httpGet)
    return requestHook(tools, hook.httpGet, container, target, timeoutMs).catch(fail('HTTP', hook.httpGet.path ?? ''));
  if (hook.sleep) return tools.clock.sleep(Math.min(hook.sleep.seconds * 1000, timeoutMs));
  // As in Kubernetes, tcpSocket is accepted and never works.
  throw new Error(`Cannot run handler: invalid handler: ${JSON.stringify(hook)}`);
}

async function runCommand({ runtime }: HookTools, command: readonly string[], target: ProbeTarget, timeoutMs: number) {
  const ended = await runtime.execSync(target.containerId, command, timeoutMs).catch((error) => {
    throw new Error(`${error.message}, message: ""`);
  });
  const { exitCode, stdout, stderr } = ended;
  if (exitCode === 0) return;
  const output = JSON.stringify(Buffer.concat([stdout, stderr]).toString());
  throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${stderr}, message: ${output}`);
}

async function requestHook(
  { runtime, clock, warn }: HookTools,
  action: HTTPGetAction,
  container: Container,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<void> {
  const network = networkProbe({ httpGet: action }, container, target);
  if (runtime.probe) {
    const { success, message } = await runtime.probe(target.sandboxId, network);
    if (!success) throw new Error(message);
    return;
  }
  const { host, port, path = '' } = network;
  const request: HttpGet = { action, host, port, path, timeoutMs, purpose: 'lifecycle', leavesHost: true };
  await sendHook(clock, request, warn);
}

/** Any answer is a success. A server without TLS gets a second request without it. */
async function sendHook(clock: Clock, request: HttpGet, warn: HookTools['warn']): Promise<void> {
  try {
    await httpGet(clock, request);
  } catch (error) {
    if (!(error instanceof NoAnswer)) return; // answered, but for the whole body
    if (!error.isPlain) throw error;
    const httpHeaders = request.action.httpHeaders?.filter(({ name }) => name.toLowerCase() !== 'authorization');
    await httpGet(clock, { ...request, action: { scheme: 'HTTP', httpHeaders } }).catch((second) => {
      if (second instanceof NoAnswer) throw error;
    });
    const host = request.host.includes(':') ? `[${request.host}]` : request.host;
    warn(
      'LifecycleHTTPFallback',
      `request to HTTPS lifecycle hook ${host}:${request.port} got HTTP response, retry with HTTP succeeded`,
    );
  }
}
