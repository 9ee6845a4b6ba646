// hostPort by rules of the packet filter, for connections from other machines and from pods: they reach the pod with the
// client's address, so that network policies judge them. The machine's own connections go through the relay.

export interface HostPortForward {
  readonly protocol: 'TCP' | 'UDP';
  readonly hostPort: number;
  /** Empty: all addresses of the machine. */
  readonly hostIP: string;
  readonly containerPort: number;
  readonly podIp: string;
}

const anyAddresses = ['', '0.0.0.0', '::'];

/** One transaction of nft, which replaces the table. `pods`: the ranges of the node's pods. */
export function hostPortRules(table: string, forwards: readonly HostPortForward[], pods: readonly string[]): string {
  const replaced = `add table inet ${table}\ndelete table inet ${table}\n`;
  const usable = forwards.filter(
    ({ hostIP, podIp }) => anyAddresses.includes(hostIP) || isIpv6(hostIP) === isIpv6(podIp),
  );
  if (usable.length === 0) return replaced;
  const incoming = usable.map((forward) => {
    const { protocol, hostPort, hostIP, containerPort, podIp } = forward;
    const ip = family(podIp);
    const target = isIpv6(podIp) ? `[${podIp}]:${containerPort}` : `${podIp}:${containerPort}`;
    const address = anyAddresses.includes(hostIP) ? '' : ` ${ip} daddr ${hostIP}`;
    const to = `meta nfproto ${ip === 'ip' ? 'ipv4' : 'ipv6'} fib daddr type local${address}`;
    return `${to} ${protocol.toLowerCase()} dport ${hostPort} dnat ${ip} to ${target}`;
  });
  // A pod on the same bridge would get answers past the machine, from an address that it did not ask.
  const back = usable.flatMap(({ protocol, hostPort, containerPort, podIp }) =>
    pods
      .filter((cidr) => isIpv6(cidr) === isIpv6(podIp))
      .map((cidr) => {
        const ip = family(podIp);
        const transport = protocol.toLowerCase();
        const here = `${ip} saddr ${cidr} ${ip} daddr ${podIp} ${transport} dport ${containerPort}`;
        return `ct status dnat ${here} ct original proto-dst ${hostPort} masquerade`;
      }),
  );
  return `${replaced}table inet ${table} {
  chain prerouting {
    # After the rules of services.
    type nat hook prerouting priority dstnat + 5; policy accept;
    ${incoming.join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 5; policy accept;
    ${back.join('\n    ')}
  }
}
`;
}

const isIpv6 = (text: string): boolean => text.includes(':');
const family = (text: string): 'ip' | 'ip6' => (isIpv6(text) ? 'ip6' : 'ip');
