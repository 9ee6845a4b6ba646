// The user of the main job: kubectl on a machine with the cluster, and the job's deployment.

import path from 'node:path';
import { expect } from 'vitest';
import type { Machine } from './machine.ts';

export const image = 'coracle.local/hello';
export const shell = (name: string, script: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    restartPolicy: 'Never',
    containers: [{ name: 'main', image, command: ['sh', '-c', script] }],
    ...more,
  },
});

export class User {
  /** A short run does the tests on one runtime that hardly depend on it. */
  readonly isThorough: boolean;
  #machine: Machine | undefined;

  constructor(isThorough: boolean) {
    this.isThorough = isThorough;
  }

  get machine(): Machine {
    if (!this.#machine) throw new Error('the machine is not ready');
    return this.#machine;
  }

  set machine(machine: Machine) {
    this.#machine = machine;
  }

  /** The data directory of the cluster. */
  get data(): string {
    return path.join(this.machine.directory, 'data');
  }

  readonly cluster = (command: string, ...args: string[]): ReturnType<Machine['coracle']> =>
    this.machine.coracle(command, ...args, '--data-dir', this.data);

  readonly kubectl = (...args: string[]): Promise<string> => this.machine.kubectl(...args);

  readonly get = (target: string, field: string): Promise<string> =>
    this.kubectl('get', ...target.split(' '), '-o', `jsonpath={${field}}`);

  readonly firstPod = (): Promise<string> =>
    this.get('pods -l app=web --field-selector=status.phase=Running', '.items[0].metadata.name');

  readonly podsThatAnswer = async (url: string, count: number): Promise<number> => {
    const names = new Set<string>();
    for (let tries = 0; names.size < count && tries < 60; tries++) {
      const { stdout, stderr } = await this.machine.curl(url);
      expect(stdout, stderr).toMatch(/^Hello from pod web-/);
      names.add(stdout.split('\n')[0]);
    }
    return names.size;
  };
}
