// The parts of a node that run as pods, and their images' programs.

import { type ContainerRuntime, withBuiltIn } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { NodePartContext } from '../node-part.ts';
import { clusterDnsProgram } from './cluster-dns.ts';
import { kubeProxyProgram } from './kube-proxy.ts';
import type { ReportingProgram } from './program.ts';

/** The kubelet waits longer for its pods; a stop of the process is not a stop of the machine. */
const closeSeconds = 5;

/** A node's container runtime that also runs the add-ons. */
export interface AddOnRuntime {
  readonly runtime: ContainerRuntime;
  /** Why a running add-on is not healthy. */
  problem(): string | undefined;
}

export function withAddOns(
  runtime: ContainerRuntime,
  parts: NodePartContext,
  { node, stateFile }: { readonly node: string; readonly stateFile: string },
): AddOnRuntime {
  const { clock, random, logger, config } = parts;
  const programs = [kubeProxyProgram(parts, node), clusterDnsProgram(parts)].map((program) =>
    reporting(program, clock),
  );
  const usage = shareOfProcess(config.nodeNames.length * (programs.length + 1));
  return {
    runtime: withBuiltIn(runtime, {
      ...{ programs, stateFile, clock, random, logger, usage, closeSeconds },
      addresses: ['127.0.0.1', ...config.nodeIPs],
    }),
    problem: () => programs.map((program) => program.problem()).find((problem) => problem !== undefined),
  };
}

/** As long as the kubelet waits for the next start at most. */
const failureMs = 6 * 60_000;

/** Also reports that the last start failed. */
function reporting(program: ReportingProgram, clock: Clock): ReportingProgram {
  const [name] = program.image.split('/')[1].split(':');
  let failure: { readonly message: string; readonly atMs: number } | undefined;
  return {
    ...program,
    async start(run) {
      try {
        const running = await program.start(run);
        failure = undefined;
        return running;
      } catch (error) {
        failure = { message: (error as Error).message, atMs: clock.monotonic() };
        throw error;
      }
    },
    problem() {
      const isRecent = failure && clock.monotonic() - failure.atMs < failureMs;
      const problem = isRecent ? failure?.message : program.problem();
      return problem && `${name}: ${problem}`;
    },
  };
}

/** One process has all parts, and nothing measures them apart: each has the same share. */
const shareOfProcess = (parts: number) => () => {
  const { user, system } = process.cpuUsage();
  return {
    cpuNanoseconds: Math.round(((user + system) * 1000) / parts),
    memoryBytes: Math.round(process.memoryUsage.rss() / parts),
  };
};
