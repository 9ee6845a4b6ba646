// The options of `up`: those of the table of settings, and those of the command itself.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Setting, SettingError, type Settings, settings, storeSettings } from '../../cluster/config.ts';
import { certificateKey, withJoinOptions } from './join-options.ts';
import { withCluster, withOutput } from './options.ts';

const flagOf = ({ flag, argument }: Setting<unknown>) => `--${flag} ${argument}`;

/** Those of a machine whose control plane is elsewhere. */
const nodeSettings = [
  ...(['runtime', 'criEndpoint', 'ociRuntime', 'nodeIP', 'nodeName', 'nodeLabels', 'nodeTaints'] as const),
  ...(['network', 'proxyMode', 'evictionHard', 'cloudProvider', 'providerID'] as const),
  ...(['kubeletConfig', 'systemReserved', 'reservedCpus', 'cpuManagerPolicy', 'cpuManagerPolicyOptions'] as const),
  ...(['memoryManagerPolicy', 'reservedMemory', 'topologyManagerPolicy', 'topologyManagerScope'] as const),
  'topologyManagerPolicyOptions' as const,
  ...(['imageCredentialProviderConfig', 'imageCredentialProviderBinDir'] as const),
];

export function withAgentOptions(command: Command): Command {
  withOutput(withCluster(command));
  withJoinOptions(command);
  for (const name of nodeSettings) command.addOption(optionOf(settings[name] as Setting<unknown>));
  return withForeground(command);
}

/** A server has its own etcd member, and one real node. */
const notOfServers: readonly string[] = [...Object.keys(storeSettings), 'nodes', 'components'];

export function withServerOptions(command: Command): Command {
  withOutput(withCluster(command));
  command.option('--cluster-init', 'the first server of a new cluster: prints how others join');
  withJoinOptions(command)
    .option('--certificate-key <key>', 'decrypts the keys of the control plane', certificateKey)
    .option('--certificate-key-file <file>', 'file with that key, so that no process list shows it');
  for (const [name, setting] of Object.entries(settings))
    if (!notOfServers.includes(name)) command.addOption(optionOf(setting as Setting<unknown>));
  return withForeground(withMerge(command));
}

const withMerge = (command: Command): Command =>
  command.option('--merge-kubeconfig', 'add the cluster to the kubeconfig of the user and make it current');

export function withUpOptions(command: Command): Command {
  withOutput(withCluster(command));
  for (const setting of Object.values(settings) as Setting<unknown>[]) command.addOption(optionOf(setting));
  return withForeground(withMerge(command));
}

const withForeground = (command: Command): Command =>
  command.option('--foreground', 'run in the foreground, log to the terminal, and stop on SIGTERM');

function optionOf(setting: Setting<unknown>): Option {
  const option = new Option(flagOf(setting), setting.help);
  if (setting.choices) option.choices(setting.choices.map(String));
  else option.argParser((text) => parse(setting, text));
  // An empty list, or a list of all values, is not shown as a default.
  const isShown = setting.default !== undefined && !Array.isArray(setting.default);
  return isShown ? option.default(setting.default) : option;
}

function parse(setting: Setting<unknown>, text: string): unknown {
  try {
    return setting.read(text);
  } catch (error) {
    throw error instanceof SettingError ? new InvalidArgumentError(error.message) : error;
  }
}

/** The settings among the options that commander has read; those that are absent are left out. */
export function settingsOf(options: Readonly<Record<string, unknown>>): Partial<Settings> {
  const entries = Object.entries(settings) as [string, Setting<unknown>][];
  return Object.fromEntries(
    entries.flatMap(([name, setting]) => {
      const value = options[new Option(flagOf(setting)).attributeName()];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The options of a command as rows of a table in Markdown. */
export function optionRows(command: Command): string[] {
  return command.options
    .filter((option) => !option.hidden)
    .map((option) => {
      const remarks = [
        ...(option.argChoices ? [option.argChoices.join(', ')] : []),
        ...(option.defaultValue === undefined ? [] : [`default ${String(option.defaultValue)}`]),
      ];
      const flags = option.flags.replaceAll('|', '\\|');
      return `| \`${flags}\` | ${option.description}${remarks.length > 0 ? ` (${remarks.join('; ')})` : ''} |`;
    });
}
