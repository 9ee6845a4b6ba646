// The path of connections to a service, as the server traces it: the same decisions as the rules of the nodes.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface PortPath {
  readonly port: number;
  readonly protocol: string;
  readonly balancers: readonly string[];
  readonly externalIPs: readonly string[];
  readonly clusterIPs: readonly string[];
  /** 0: none. */
  readonly nodePort: number;
  readonly outsideRule: string;
  readonly insideRule: string;
  readonly keepsClientAddress: boolean;
  readonly refusal?: { readonly rule: string; readonly reason: string };
  readonly endpoints: readonly Endpoint[];
  readonly droppingNodes: readonly string[];
}

export interface Endpoint {
  readonly address: string;
  readonly node: string;
  readonly pod: string;
  readonly isReady: boolean;
}

export const portPaths = (answer: unknown): PortPath[] => listIn(fieldsIn(answer)['ports']).map(portPath);

function portPath(value: unknown): PortPath {
  const port = fieldsIn(value);
  const texts = (name: string) => listIn(port[name]).map(textIn);
  const rules = fieldsIn(port['rules']);
  const refusal = fieldsIn(port['refusal']);
  return {
    port: Number(port['port']),
    protocol: textIn(port['protocol']).toUpperCase(),
    ...{ balancers: texts('balancers'), externalIPs: texts('externalIPs'), clusterIPs: texts('clusterIPs') },
    nodePort: Number(port['nodePort'] ?? 0),
    ...{ outsideRule: textIn(rules['outside']), insideRule: textIn(rules['inside']) },
    keepsClientAddress: port['keepsClientAddress'] === true,
    ...(textIn(refusal['reason']) && {
      refusal: { rule: textIn(refusal['rule']), reason: textIn(refusal['reason']) },
    }),
    endpoints: listIn(port['endpoints']).map((item) => {
      const { address, node, pod, isReady } = fieldsIn(item);
      return { address: textIn(address), node: textIn(node), pod: textIn(pod), isReady: isReady === true };
    }),
    droppingNodes: texts('droppingNodes'),
  };
}
