import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, ContainerStatus, NetworkProbe, Sandbox, SandboxConfig } from '../interface.ts';
import { meantToEndAnnotation } from '../labels.ts';
import { type ExecResult, play } from './commands.ts';

/** How one simulated container runs its life. All are optional: by default it starts at once and runs until stopped. */
export interface ContainerScript {
  /** Time from startContainer to running. */
  readonly startMs?: number;
  /** The start fails with this message. */
  readonly startError?: string;
  /** Ends by itself after this long; never, by default. */
  readonly runMs?: number;
  /** Of an end by itself; 0 by default. */
  readonly exitCode?: number;
  /** Reason of an end by itself, such as OOMKilled; by default Completed or Error, by the exit code. */
  readonly reason?: string;
  /** Time from SIGTERM to the end, 0 by default; Infinity: only SIGKILL ends it. */
  readonly terminationMs?: number;
  /** After SIGTERM; 0 by default. SIGKILL gives 137. */
  readonly terminationExitCode?: number;
  /** Written to the container's log when it starts. */
  readonly output?: string;
  readonly cpuMillicores?: number;
  readonly memoryBytes?: number;
}

/** Duration of containers that should end and have no explicit one. */
const momentMs = 1_000;

/**
 * The behaviour of a container without a program: simple commands are interpreted; otherwise it ends after a moment if
 * it should end (init containers, Jobs), and runs until stopped if not.
 */
export function scriptOfCommand(config: ContainerConfig, sandbox: SandboxConfig): ContainerScript | undefined {
  const { command, args, env, annotations } = config;
  const words = [...command, ...args];
  const played = words.length ? play(words, { hostname: sandbox.hostname ?? sandbox.name, env }) : undefined;
  if (!played) return annotations[meantToEndAnnotation] ? { runMs: momentMs } : undefined;
  const { output, runMs, exitCode } = played;
  return {
    ...(output && { output }),
    ...(Number.isFinite(runMs) && { runMs: Math.max(runMs, 1), exitCode }),
  };
}

/** The machine's behaviour in a test. An absent function, or an undefined result, means success. */
export interface SimulatedBehaviour {
  container?(config: ContainerConfig, sandbox: SandboxConfig): ContainerScript | undefined;
  sandbox?(config: SandboxConfig): { startMs?: number; error?: string } | undefined;
  image?(reference: string): { pullMs?: number; error?: string; sizeBytes?: number } | undefined;
  exec?(container: ContainerStatus, command: readonly string[]): ExecResult | undefined;
  probe?(sandbox: Sandbox, probe: NetworkProbe): { success: boolean; message: string } | undefined;
}

export interface SimulatedOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Default time from startContainer to running; 0 by default, which sets no timer. */
  readonly startMs?: number;
  /** Default time to pull a missing image; 0 by default. */
  readonly pullMs?: number;
  readonly behaviour?: SimulatedBehaviour;
  /** Initial pod ranges; without them, the network is not ready until updatePodCidrs. */
  readonly podCidrs?: readonly string[];
}

const prefix = 'simulated.coracle.local/';

/** Pods may have a script in an annotation, so that Jobs end and probes fail under plain kubectl too. */
export function scriptFromAnnotations(annotations: Readonly<Record<string, string>>): ContainerScript | undefined {
  let script: Record<string, unknown> | undefined;
  for (const key in annotations) {
    if (!key.startsWith(prefix)) continue;
    const field = key.slice(prefix.length).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const value = annotations[key];
    script ??= {};
    script[field] = textFields.has(field) ? value : Number(value);
  }
  return script;
}

const textFields = new Set(['startError', 'reason', 'output']);
