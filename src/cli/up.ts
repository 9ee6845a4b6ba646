import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  type AuditRequest,
  type ClusterConfig,
  type ComponentName,
  completeConfig,
  componentNames,
  type ProxyMode,
  type RuntimeKind,
  type StoreKind,
} from '../cluster/config.ts';
import {
  type DataDirectory,
  DataDirectoryError,
  openDataDirectory,
  type RunInfo,
  runningProcess,
} from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print, seconds } from './options.ts';
import type { StepMessage } from './run-in-process.ts';

export interface UpOptions extends ClusterOptions {
  readonly port: number;
  readonly runtime: RuntimeKind;
  readonly criEndpoint: string;
  readonly ociRuntime?: string;
  readonly nodes: number;
  readonly components?: string;
  readonly store: StoreKind;
  readonly etcdEndpoints?: string;
  readonly nodeIp?: string;
  readonly auditPolicy?: string;
  readonly auditLog?: string;
  readonly auditWebhookConfig?: string;
  readonly encryptionConfig?: string;
  readonly proxyMode: ProxyMode;
  readonly mergeKubeconfig?: boolean;
  readonly foreground?: boolean;
  readonly reportToParent?: boolean;
  readonly output: 'text' | 'json';
}

export async function up(options: UpOptions): Promise<void> {
  const directory = directoryOf(options);
  const config = configOf(options, directory);
  checkMachine(config);
  const running = await runningProcess(directory);
  const needsRuntime = config.runtime === 'native' && config.components.includes('kubelet');
  // The process in the background was started by one that has seen to it.
  if (needsRuntime && !options.reportToParent && !running?.address)
    await (await import('./oci-runtime.ts')).ensureOciRuntime(options.ociRuntime, options.output === 'json');
  if (options.foreground)
    return (await import('./run-in-process.ts')).runInProcess(config, options.reportToParent ?? false);
  const beginMs = performance.now();
  const info = running?.address ? running : await startInBackground(directory, options);
  if (options.mergeKubeconfig) await mergeInto(directory);
  report(info, directory, options, running !== undefined, performance.now() - beginMs);
}

function configOf(options: UpOptions, directory: DataDirectory): ClusterConfig {
  return completeConfig({
    name: options.name,
    dataDirectory: directory.root,
    port: options.port,
    runtime: options.runtime,
    criEndpoint: options.criEndpoint,
    ...(options.ociRuntime && { ociRuntime: path.resolve(options.ociRuntime) }),
    nodes: options.nodes,
    store: options.store,
    proxyMode: options.proxyMode,
    etcdEndpoints: options.etcdEndpoints?.split(',') ?? [],
    ...(options.components && { components: componentsOf(options.components) }),
    ...(options.nodeIp && { nodeIP: options.nodeIp }),
    ...auditOf(options, directory),
    ...(options.encryptionConfig && { encryptionConfig: pathOrAuto(options.encryptionConfig) }),
  });
}

const pathOrAuto = (value: string): string => (value === 'auto' ? value : path.resolve(value));

function auditOf(options: UpOptions, directory: DataDirectory): { audit?: AuditRequest } {
  const { auditPolicy: policy, auditLog: log, auditWebhookConfig: webhookConfig } = options;
  if (!policy && (log || webhookConfig))
    throw new CliError('--audit-log and --audit-webhook-config need --audit-policy, which says what to record', 2);
  if (!policy) return {};
  const file = log === '-' ? log : log ? path.resolve(log) : path.join(directory.root, 'audit.log');
  return {
    audit: {
      policy: path.resolve(policy),
      ...((log || !webhookConfig) && { log: file }),
      ...(webhookConfig && { webhookConfig: path.resolve(webhookConfig) }),
    },
  };
}

function componentsOf(list: string): ComponentName[] {
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(componentNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new CliError(`--components: there is no component "${unknown}". There are: ${componentNames.join(', ')}`, 2);
  return names as ComponentName[];
}

/** Says what this machine lacks for real containers, and what would bring it. */
function checkMachine({ runtime, components, store, etcdEndpoints }: ClusterConfig): void {
  if (store === 'etcd' && etcdEndpoints.length === 0)
    throw new CliError('--store etcd needs --etcd-endpoints, such as --etcd-endpoints http://127.0.0.1:2379', 2);
  if (runtime === 'simulated' || !components.includes('kubelet')) return;
  const instead = 'With "--runtime simulated" everything but real containers works here.';
  if (process.platform !== 'linux')
    throw new CliError(`real containers need Linux, and this is ${os.type()}. ${instead}`);
  if (process.getuid?.() !== 0) throw new CliError(`real containers need root: run "sudo ./coracle up". ${instead}`);
}

/** Most of what a request makes is garbage when it is answered. Four times the room saves a tenth of the CPU in a burst, and costs 100 MB. */
const youngMemory = ['--max-semi-space-size=16'];

/** Starts this program again, on its own, and follows it until it is ready. */
async function startInBackground(directory: DataDirectory, options: UpOptions): Promise<RunInfo> {
  await openDataDirectory(directory).catch((error) => {
    throw error instanceof DataDirectoryError ? new CliError(error.message) : error;
  });
  const log = openSync(directory.log, 'a', 0o600);
  const node = [
    ...process.execArgv,
    ...youngMemory.filter(() => !process.execArgv.some((a) => a.includes('semi-space'))),
  ];
  const child = spawn(process.execPath, [...node, process.argv[1], ...argumentsOf(options, directory)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: '/',
    // glibc keeps an arena for each thread, and hardly gives back what it had: two are enough, and weigh less.
    env: { MALLOC_ARENA_MAX: '2', ...process.env },
  });
  closeSync(log);
  const quiet = options.output === 'json';
  let problem: string | undefined;
  const ready = await new Promise<boolean>((resolve) => {
    child.on('message', (message: StepMessage) => {
      if (message.type === 'step' && !quiet) print(`  ${message.name.padEnd(26)} ${dim(seconds(message.ms))}`);
      if (message.type === 'error') problem = message.message;
      if (message.type === 'ready') resolve(true);
    });
    child.on('error', (error) => {
      problem = error.message;
      resolve(false);
    });
    child.on('exit', () => resolve(false));
  });
  if (!ready)
    throw new CliError(problem ?? `the cluster did not start; its log says:\n${await lastLines(directory.log)}`);
  child.disconnect();
  child.unref();
  const info = await runningProcess(directory);
  if (!info)
    throw new CliError(`the cluster ended right after its start; its log says:\n${await lastLines(directory.log)}`);
  return info;
}

function argumentsOf(options: UpOptions, directory: DataDirectory): string[] {
  const list = [
    'up',
    '--foreground',
    '--report-to-parent',
    '--name',
    options.name,
    '--data-dir',
    directory.root,
    '--port',
    String(options.port),
  ];
  list.push(
    '--runtime',
    options.runtime,
    '--cri-endpoint',
    options.criEndpoint,
    '--nodes',
    String(options.nodes),
    '--store',
    options.store,
    '--proxy-mode',
    options.proxyMode,
  );
  if (options.ociRuntime) list.push('--oci-runtime', path.resolve(options.ociRuntime));
  if (options.components) list.push('--components', options.components);
  if (options.etcdEndpoints) list.push('--etcd-endpoints', options.etcdEndpoints);
  if (options.nodeIp) list.push('--node-ip', options.nodeIp);
  if (options.encryptionConfig) list.push('--encryption-config', pathOrAuto(options.encryptionConfig));
  const { auditPolicy, auditLog, auditWebhookConfig } = options;
  if (auditPolicy) list.push('--audit-policy', path.resolve(auditPolicy));
  if (auditLog) list.push('--audit-log', auditLog === '-' ? auditLog : path.resolve(auditLog));
  if (auditWebhookConfig) list.push('--audit-webhook-config', path.resolve(auditWebhookConfig));
  return list;
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(-12).join('\n');
}

async function mergeInto(directory: DataDirectory): Promise<void> {
  const { mergeKubeconfig } = await import('../cluster/cluster.ts');
  const own = process.env['KUBECONFIG']
    ?.split(path.delimiter)
    .find((file) => file && path.resolve(file) !== directory.kubeconfig);
  await mergeKubeconfig(own ?? path.join(os.homedir(), '.kube', 'config'), directory.kubeconfig);
}

function report(info: RunInfo, directory: DataDirectory, options: UpOptions, wasRunning: boolean, ms: number): void {
  if (options.output === 'json') {
    const { name, pid, address: server } = info;
    print(JSON.stringify({ name, pid, server, kubeconfig: directory.kubeconfig, started: !wasRunning }));
    return;
  }
  print(
    wasRunning
      ? `Cluster "${info.name}" runs at ${info.address}.`
      : `Cluster "${info.name}" is ready at ${info.address} ${dim(`(${seconds(ms)})`)}`,
  );
  print(`\n  ${bold(`export KUBECONFIG=${directory.kubeconfig}`)}`);
}
