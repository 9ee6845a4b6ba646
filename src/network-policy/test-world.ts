// Namespaces, pods and policies for tests, in the terms of Kubernetes' own tests: pods are written as x/a.

import type { Namespace, NetworkPolicy, NetworkPolicySpec, Pod } from '../api/api.ts';
import { isolate } from './isolation.ts';
import { emptyRuleset, ruleset, type Site } from './nftables.ts';
import type { Protocol } from './permissions.ts';
import { type Packet, passes } from './test-packets.ts';

export const site: Site = {
  devices: ['br0'],
  nodeCidrs: ['10.244.1.0/24'],
  clusterCidrs: ['10.244.0.0/16'],
  dnsAddresses: ['10.96.0.10'],
};
const nodes = ['n1', 'n2'] as const;

/** A policy of namespace x that selects these pods, with the policy types that the API server sets. */
export function policy(
  podLabels: Readonly<Record<string, string>>,
  spec: Omit<NetworkPolicySpec, 'podSelector'>,
  more: { readonly namespace?: string; readonly name?: string } = {},
): NetworkPolicy {
  const { namespace = 'x', name = `policy-${JSON.stringify(spec).length}` } = more;
  const types = [...(spec.ingress ? ['Ingress'] : []), ...(spec.egress ? ['Egress'] : [])] as ('Ingress' | 'Egress')[];
  return {
    metadata: { name, namespace },
    spec: { podSelector: { matchLabels: podLabels }, policyTypes: types, ...spec },
  } as NetworkPolicy;
}

export interface PodChange {
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  readonly podIPs?: readonly string[];
}

export interface World {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly policies: readonly NetworkPolicy[];
}

export const ports = [80, 81].flatMap((port) =>
  (['tcp', 'udp', 'sctp'] as const).map((protocol) => ({
    name: `serve-${port}-${protocol}`,
    containerPort: port,
    protocol: protocol.toUpperCase() as 'TCP',
  })),
);

/** Pods alternate between two nodes. Namespaces have the label ns, and the one that Kubernetes gives them. */
export function world(
  names: string,
  policies: readonly NetworkPolicy[],
  changes: {
    readonly pods?: Readonly<Record<string, PodChange>>;
    readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  } = {},
): World {
  const all = names.split(' ');
  const pods = all.map((key, i) => {
    const [namespace, name] = key.split('/');
    const { labels, hostNetwork, phase = 'Running', podIPs } = changes.pods?.[key] ?? {};
    const addresses = podIPs ?? [`10.244.${(i % 2) + 1}.${i + 2}`, `fd00:${(i % 2) + 1}::${i + 2}`];
    return {
      metadata: { name, namespace, labels: { pod: name, ...labels } },
      spec: { nodeName: nodes[i % 2], containers: [{ name: 'c', ports }], ...(hostNetwork && { hostNetwork }) },
      status: { phase, podIPs: addresses.map((ip) => ({ ip })) },
    } as unknown as Pod;
  });
  const namespaces = [...new Set(all.map((key) => key.split('/')[0]))].map((name) => ({
    metadata: { name, labels: { ns: name, 'kubernetes.io/metadata.name': name, ...changes.namespaces?.[name] } },
  }));
  return { pods, namespaces: namespaces as unknown as Namespace[], policies };
}

const rulesOf = (state: World, node: string) => {
  const isolation = isolate({ ...state, nodeNames: [node] });
  return isolation ? ruleset(isolation, site) : emptyRuleset;
};

/** Whether a connection passes on the way through both nodes. */
export function connects(state: World, packet: Packet, ...via: readonly string[]): boolean {
  return via.every((node) => passes(rulesOf(state, node), packet));
}

/** All pairs of pods that connect, as "x/a > x/b", in both address families. */
export function reachable(state: World, protocol: Protocol, port: number): Set<string> {
  const rules = new Map(nodes.map((node) => [node as string, rulesOf(state, node)]));
  const found = new Set<string>();
  const keyOf = ({ metadata }: Pod) => `${metadata.namespace}/${metadata.name}`;
  for (const from of state.pods)
    for (const to of state.pods) {
      const passed = (from.status?.podIPs ?? []).map(({ ip }, i) =>
        [from, to].every((pod) =>
          passes(rules.get(pod.spec.nodeName ?? '') ?? emptyRuleset, {
            from: ip,
            to: to.status?.podIPs?.[i].ip ?? '',
            protocol,
            port,
          }),
        ),
      );
      if (new Set(passed).size > 1) throw new Error(`${keyOf(from)} > ${keyOf(to)}: the families differ`);
      if (passed[0]) found.add(`${keyOf(from)} > ${keyOf(to)}`);
    }
  return found;
}
