// The sandbox of a cluster: a simulated cluster beside it, for practice, which the console opens. It is started, and
// ended with all of its data, by the commands of this program.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { OpenedSandbox, SandboxControl } from '../../dashboard/dashboard.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { ClusterConfig } from '../config.ts';
import { type DataDirectory, dataDirectory, runningProcess } from '../data-directory.ts';

const startTimeoutMs = 120_000;
const nodes = 3;
/** An error of a command is its last line. */
const mostOutputBytes = 1 << 20;

export class Sandbox implements SandboxControl {
  readonly #command: readonly string[];
  readonly #directory: DataDirectory;
  /** Its addresses are of the families of the cluster's: nothing of a simulated cluster is in a network. */
  readonly #addresses: readonly string[];
  /** One command at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #opening: Promise<OpenedSandbox> | undefined;
  #isStopped = false;

  /** `command`: this program, with its first arguments. */
  constructor(command: readonly string[], cluster: ClusterConfig) {
    this.#command = command;
    this.#directory = dataDirectory(dataDirectory(cluster.dataDirectory).sandbox);
    const { nodeIP, serviceCidr, clusterCidr } = cluster;
    this.#addresses = [
      ...['--node-ip', nodeIP],
      ...(serviceCidr ? ['--service-cidr', serviceCidr] : []),
      ...(clusterCidr ? ['--cluster-cidr', clusterCidr] : []),
    ];
  }

  async isOpen(): Promise<boolean> {
    return (await runningProcess(this.#directory)) !== undefined;
  }

  /** Requests at the same time get the same link, which signs in once. */
  open(): Promise<OpenedSandbox> {
    return (this.#opening ??= this.#inTurn(async () => {
      if (this.#isStopped) throw new Error('the cluster is stopping');
      const cluster = ['--runtime', 'simulated', '--nodes', String(nodes), ...this.#addresses, '--port', '0'];
      const { console: url, kubeconfig } = fieldsIn(JSON.parse(await this.#run('up', ...cluster, '-o', 'json')));
      return { url: textIn(url), kubeconfig: textIn(kubeconfig) };
    }).finally(() => {
      this.#opening = undefined;
    }));
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      if (existsSync(this.#directory.root)) await this.#run('down', '--delete');
    });
  }

  /** Same, when the cluster stops: from then on it cannot be opened. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.catch(() => {}).then(work);
    this.#last = done;
    return done;
  }

  /** Rejects with the error that the command printed. */
  #run(...words: string[]): Promise<string> {
    const [program, ...args] = [...this.#command, ...words, '--name', 'sandbox', '--data-dir', this.#directory.root];
    const options = { cwd: '/', timeout: startTimeoutMs, maxBuffer: mostOutputBytes, env: environment() };
    return new Promise((resolve, reject) => {
      execFile(program, args, options, (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const [last = error.message] = stderr.trim().split('\n').slice(-1);
        reject(new Error(`the sandbox: ${last.replace(/^error: /, '')}`));
      });
    });
  }
}

/** Its place and its options are its own. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CORACLE_')));
}
