import { type AgentConfig, completeNodeConfig, SettingError } from '../cluster/cluster.ts';
import { type DataDirectory, runningProcess } from '../cluster/data-directory.ts';
import { type JoinOptions, joinRequestOf } from './options/join-options.ts';
import { CliError, type ClusterOptions, dim, directoryOf, print, seconds } from './options/options.ts';
import { settingsOf } from './options/up-options.ts';
import { startInBackground } from './running/background.ts';
import { checkMachine, ensurePrograms } from './up.ts';

interface AgentOptions extends ClusterOptions, JoinOptions {
  readonly foreground?: boolean;
  readonly output: 'text' | 'json';
  readonly [setting: string]: unknown;
}

export async function agent(options: AgentOptions): Promise<void> {
  const directory = directoryOf(options);
  const config = configOf(options, directory);
  checkMachine(config.node);
  const running = await runningProcess(directory);
  if (!running?.address) await ensurePrograms(config.node, options.output === 'json');
  if (options.foreground) return (await import('./running/run-agent.ts')).runInForeground(config);
  const beginMs = performance.now();
  const json = options.output === 'json';
  const info = running?.address ? running : await startInBackground('run-agent', config, directory, json);
  const [node] = config.node.nodeNames;
  if (json) print(JSON.stringify({ name: info.name, pid: info.pid, node, server: info.address, started: !running }));
  else if (running) print(`The node runs already (process ${info.pid}); its API server is ${info.address}.`);
  else print(`Node "${node}" is Ready at ${info.address} ${dim(`(${seconds(performance.now() - beginMs)})`)}`);
}

function configOf(options: AgentOptions, directory: DataDirectory): AgentConfig {
  const join = joinRequestOf(options);
  try {
    const node = completeNodeConfig({ ...settingsOf(options), name: options.name, dataDirectory: directory.root });
    return { node, ...(join && { join }) };
  } catch (error) {
    throw error instanceof SettingError ? new CliError(error.message, 2) : error;
  }
}
