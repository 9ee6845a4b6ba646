// Connections of pods to destinations outside of the cluster have the address of the node: rules of nft, or of iptables
// where there is no nft that the kernel accepts.

import type { Finished } from '../processes/process.ts';

/** Runs a program in the network namespace of the bridge. */
export type HostRun = (command: string, args: readonly string[], input?: string) => Promise<Finished>;

interface MasqueradedPods {
  /** Their packets to other pods on this bridge stay as they are. */
  readonly bridge: string;
  readonly pods: readonly string[];
  /** Destinations for which pods keep their own addresses, besides `pods`. */
  readonly cluster: readonly string[];
}

type Family = 4 | 6;
const families = [4, 6] as const;
const isOf = (family: Family) => (cidr: string) => cidr.includes(':') === (family === 6);
const multicast = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const;

/** Where pods keep their addresses. One range each: an interval set must not overlap, as these do. */
const insideOf = ({ pods, cluster }: MasqueradedPods, family: Family): string[] => [
  ...new Set([...pods, ...cluster].filter(isOf(family))),
  multicast[family],
];

const nftTable = (bridge: string) => `coracle-${bridge}`;
/** At most 28 characters; a bridge has at most 15. */
const iptablesChain = (bridge: string) => `CORACLE-${bridge}`;
const iptables = { 4: 'iptables', 6: 'ip6tables' } as const;

/** In one transaction. */
function nftRules(settings: MasqueradedPods): string {
  const { bridge, pods } = settings;
  const table = nftTable(bridge);
  const rules = families.flatMap((family) => {
    const ip = family === 6 ? 'ip6' : 'ip';
    return pods
      .filter(isOf(family))
      .flatMap((cidr) => [
        ...insideOf(settings, family).map((destination) => `${ip} saddr ${cidr} ${ip} daddr ${destination} return`),
        `${ip} saddr ${cidr} oifname != "${bridge}" masquerade`,
      ]);
  });
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${rules.join('\n    ')}
  }
}
`;
}

/** The chain of one family, for iptables-restore, which empties it first. */
function iptablesRules(settings: MasqueradedPods, family: Family): string {
  const chain = iptablesChain(settings.bridge);
  const rules = settings.pods
    .filter(isOf(family))
    .flatMap((cidr) => [
      ...insideOf(settings, family).map((destination) => `-A ${chain} -s ${cidr} -d ${destination} -j RETURN`),
      `-A ${chain} -s ${cidr} ! -o ${settings.bridge} -j MASQUERADE`,
    ]);
  return `*nat\n:${chain} - [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
}

/** A missing program fails like any other. */
const tolerant =
  (host: HostRun): HostRun =>
  (command, args, input) =>
    host(command, args, input).catch((error) => ({ code: 127, stdout: '', stderr: String(error) }));

/** Returns why pods reach only this machine and each other, if neither way works. */
export async function masquerade(host: HostRun, settings: MasqueradedPods): Promise<string | undefined> {
  const run = tolerant(host);
  const nft = await run('nft', ['-f', '-'], nftRules(settings));
  if (nft.code === 0) return undefined;
  const used = families.filter((family) => settings.pods.some(isOf(family)));
  const problems = (await Promise.all(used.map((family) => masqueradeByIptables(run, settings, family)))).flat();
  return problems.length > 0 ? [nft.stderr.trim(), ...problems].join('; ') : undefined;
}

async function masqueradeByIptables(run: HostRun, settings: MasqueradedPods, family: Family): Promise<string[]> {
  const program = iptables[family];
  const jump = ['POSTROUTING', '-j', iptablesChain(settings.bridge)];
  const chain = await run(`${program}-restore`, ['-w', '5', '--noflush'], iptablesRules(settings, family));
  if (chain.code !== 0) return [chain.stderr.trim()];
  if ((await run(program, ['-w', '5', '-t', 'nat', '-C', ...jump])).code === 0) return [];
  const added = await run(program, ['-w', '5', '-t', 'nat', '-A', ...jump]);
  return added.code === 0 ? [] : [added.stderr.trim()];
}

/** Removes the rules of both ways. */
export async function stopMasquerade(host: HostRun, bridge: string): Promise<void> {
  const run = tolerant(host);
  await run('nft', ['delete', 'table', 'inet', nftTable(bridge)]);
  const chain = iptablesChain(bridge);
  for (const family of families)
    for (const command of [
      ['-D', 'POSTROUTING', '-j', chain],
      ['-F', chain],
      ['-X', chain],
    ])
      if ((await run(iptables[family], ['-w', '5', '-t', 'nat', ...command])).code !== 0) break;
}
