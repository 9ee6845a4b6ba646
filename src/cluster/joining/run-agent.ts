// Runs an agent until it is stopped, and answers the other commands.

import { kubernetesVersion } from '../../api/api.ts';
import type { Environment } from '../context.ts';
import { serveControl } from '../control.ts';
import { collectWhenIdle } from '../process/spare-memory.ts';
import type { ClusterStatus } from '../run.ts';
import type { StartHooks } from '../start.ts';
import { version } from '../version.ts';
import { type AgentConfig, type RunningAgent, startAgent } from './agent.ts';

export async function runAgent(
  config: AgentConfig,
  environment: Environment,
  nodeCommand: readonly string[],
  hooks: Required<StartHooks> & { onStopRequest(): void },
): Promise<{ stop(): Promise<void> }> {
  const startedAt = environment.clock.now();
  const agent = await startAgent(config, environment, nodeCommand, hooks);
  const control = await serveControl(agent.directory.controlSocket, {
    status: () => statusOf(agent, environment.clock.now() - startedAt),
    async join() {
      throw new Error('this machine is a node: create tokens on a machine of the control plane');
    },
    'renew-certificates': () => agent.checkCertificates(),
    stop: async () => hooks.onStopRequest(),
  });
  const stopCollecting = collectWhenIdle(environment.clock);
  return {
    async stop() {
      stopCollecting();
      await control.stop();
      await agent.stop();
    },
  };
}

async function statusOf(agent: RunningAgent, uptimeMs: number): Promise<ClusterStatus> {
  const [{ parts: components, process: nodes }, problem] = await Promise.all([agent.status(), agent.nodeProblem()]);
  const { config, server } = agent;
  const main = { name: 'main', pid: process.pid, memoryBytes: process.memoryUsage.rss() } as const;
  const processes = [main, ...(nodes ? [{ name: 'nodes', ...nodes } as const] : [])];
  const [name] = config.nodeNames;
  return {
    name: config.name,
    pid: process.pid,
    version,
    kubernetesVersion: kubernetesVersion.gitVersion,
    address: `https://${server}`,
    uptimeSeconds: Math.round(uptimeMs / 1000),
    memoryBytes: processes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    processes,
    components,
    nodes: [{ name, ready: problem === undefined, address: config.nodeIP, ...(problem && { problem }) }],
    problems: [
      ...components.filter((part) => part.problem).map((part) => `${part.name}: ${part.problem}`),
      ...(problem ? [agent.serverProblem ?? `node ${name} is not Ready: ${problem}`] : []),
    ],
  };
}
