// The packet filter of this machine, for rules about pods.

import { readFile, writeFile } from 'node:fs/promises';
import { mustRun, run } from '../processes/process.ts';

const bridgeSettings = ['iptables', 'ip6tables'].map((name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`);

export const packetFilter = {
  /** Applies a script of nft in one transaction. Rejects if it fails, with the code ENOENT when there is no nft. */
  async nft(script: string): Promise<void> {
    await mustRun('nft', ['-f', '-'], script);
  },

  /** The device of the route to an address. */
  async deviceTo(address: string): Promise<string | undefined> {
    const { stdout } = await run('ip', ['-j', 'route', 'get', address]);
    const [route] = JSON.parse(stdout || '[]') as { dev?: string }[];
    return route?.dev;
  },

  /** Lets the filter see packets between two ports of a bridge; false: it cannot. */
  async filterBridges(): Promise<boolean> {
    if (await areBridgesFiltered()) return true;
    await run('modprobe', ['br_netfilter']).catch(() => {});
    for (const file of bridgeSettings) await writeFile(file, '1').catch(() => {});
    return areBridgesFiltered();
  },
};

async function areBridgesFiltered(): Promise<boolean> {
  const values = await Promise.all(bridgeSettings.map((file) => readFile(file, 'utf8').catch(() => '0')));
  return values.every((value) => value.trim() === '1');
}
