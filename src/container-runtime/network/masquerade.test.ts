// Real packets: a pod behind a bridge of the node, and a machine outside that has no route to pods.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../processes/process.ts';
import { type HostRun, masquerade, stopMasquerade } from './masquerade.ts';

const needed = ['/usr/sbin/ip', '/usr/sbin/nft', '/usr/sbin/iptables-restore'];
const missing = needed.filter((file) => !existsSync(file));
const reason =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'needs Linux and root'
    : missing.length > 0
      ? `not installed: ${missing.join(', ')}`
      : undefined;

const name = (place: string) => `cm${process.pid}-${place}`;
const places = ['node', 'pod', 'out'];
const bridge = 'cor-test0';
const settings = { bridge, pods: ['10.244.0.0/24', 'fd44::/112'], cluster: ['10.244.0.0/16', 'fd44::/64'] };

/** One line for each command of `ip`, in the namespaces of the three. */
const network = `
netns add NODE
netns add POD
netns add OUT
-n NODE link add ${bridge} type bridge
-n NODE link add veth1 type veth peer name eth0 netns POD
-n NODE link add out0 type veth peer name eth0 netns OUT
-n NODE link set veth1 master ${bridge} up
-n NODE link set ${bridge} up
-n NODE link set out0 up
-n NODE addr add 10.244.0.1/24 dev ${bridge}
-n NODE addr add fd44::1/112 dev ${bridge} nodad
-n NODE addr add 192.0.2.1/24 dev out0
-n NODE addr add fd02::1/64 dev out0 nodad
-n POD link set eth0 up
-n POD addr add 10.244.0.2/24 dev eth0
-n POD addr add fd44::2/112 dev eth0 nodad
-n POD route add default via 10.244.0.1
-n POD -6 route add default via fd44::1
-n OUT link set eth0 up
-n OUT addr add 192.0.2.2/24 dev eth0
-n OUT addr add fd02::2/64 dev eth0 nodad
`;

describe.skipIf(reason)(`pods outwards${reason ? `: ${reason}` : ''}`, () => {
  beforeEach(() => {
    for (const line of network.trim().split('\n'))
      execFileSync(
        'ip',
        line.split(' ').map((word) => (places.includes(word.toLowerCase()) ? name(word.toLowerCase()) : word)),
      );
    const forwards = 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding';
    execFileSync('ip', ['netns', 'exec', name('node'), 'sh', '-c', forwards]);
  });
  afterEach(() => {
    for (const place of places) spawnSync('ip', ['netns', 'delete', name(place)]);
  });

  const onNode: HostRun = (command, args, input) => run('ip', ['netns', 'exec', name('node'), command, ...args], input);
  const without =
    (...programs: string[]): HostRun =>
    async (command, args, input) => {
      if (programs.includes(command)) throw new Error(`spawn ${command} ENOENT`);
      return onNode(command, args, input);
    };
  /** The machine outside refuses the connection, and the refusal finds the way back. */
  const reaches = (address: string) => {
    const client = `require('net').connect(9, '${address}').on('error', ({ code }) => process.exit(code === 'ECONNREFUSED' ? 0 : 1));
      setTimeout(() => process.exit(1), 1000);`;
    return spawnSync('ip', ['netns', 'exec', name('pod'), process.execPath, '-e', client]).status === 0;
  };
  const both = () => [reaches('192.0.2.2'), reaches('fd02::2')];

  test.each<[string, HostRun]>([
    ['nft', without('iptables-restore', 'ip6tables-restore')],
    ['iptables where there is no nft', without('nft')],
  ])('through %s, until that is taken away; setting it twice is once', async (_, host) => {
    expect(both()).toEqual([false, false]);
    expect(await masquerade(host, settings)).toBe(undefined);
    expect(await masquerade(host, settings)).toBe(undefined);
    expect(both()).toEqual([true, true]);
    await stopMasquerade(host, bridge);
    expect(both()).toEqual([false, false]);
    const left = (await onNode('sh', ['-c', 'nft list ruleset; iptables-save; ip6tables-save'])).stdout;
    expect(left.toLowerCase()).not.toContain(bridge);
  });

  test('through neither: the reason', async () => {
    const problem = await masquerade(without('nft', 'iptables-restore', 'ip6tables-restore'), settings);
    expect(problem).toBe(
      'Error: spawn nft ENOENT; Error: spawn iptables-restore ENOENT; Error: spawn ip6tables-restore ENOENT',
    );
    await stopMasquerade(without('nft', 'iptables', 'ip6tables'), bridge);
  });
});
