// Real members on this machine's loopback, for tests.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '../../machinery/logger.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { type KeyPair, makeAuthority } from '../certificates/certificates.ts';
import { type EtcdMember, type EtcdMemberOptions, startEtcdMember } from './etcd-member.ts';

export const isEtcdInstalled = (() => {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export const environment = { clock: systemClock, random: systemRandom, logger: silentLogger };

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface TestMachines {
  readonly ca: KeyPair;
  readonly root: string;
  /** Options of the machine's member; the same ports for the same name. */
  options(name: string, given?: Partial<EtcdMemberOptions>): Promise<EtcdMemberOptions>;
  start(name: string, given?: Partial<EtcdMemberOptions>): Promise<EtcdMember>;
  /** Stops all members, and removes their directories. */
  end(): Promise<void>;
}

export async function testMachines(): Promise<TestMachines> {
  const root = mkdtempSync(path.join(tmpdir(), 'coracle-etcd-member-'));
  const ca = await makeAuthority(systemClock.now(), 'etcd-ca');
  const ports = new Map<string, number[]>();
  const started: EtcdMember[] = [];
  const options: TestMachines['options'] = async (name, given) => {
    const [clientPort, peerPort] = ports.get(name) ?? (await freePorts(2));
    ports.set(name, [clientPort, peerPort]);
    return { directory: path.join(root, name), name, address: '127.0.0.1', clientPort, peerPort, ca, ...given };
  };
  return {
    ca,
    root,
    options,
    async start(name, given) {
      const member = await startEtcdMember(await options(name, given), environment);
      started.push(member);
      return member;
    },
    async end() {
      await Promise.all(started.map((member) => member.stop()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = 15_000): Promise<T> {
  const lastMs = systemClock.monotonic() + timeoutMs;
  for (;;)
    try {
      return await attempt();
    } catch (error) {
      if (systemClock.monotonic() > lastMs) throw error;
      await systemClock.sleep(100);
    }
}
