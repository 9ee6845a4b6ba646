// Ports of pods and services that a browser can open.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface OpenPort {
  readonly port: string;
  readonly text: string;
  /** The name or number is one of HTTPS. */
  readonly isTls: boolean;
}

export function portsOf(resource: 'pods' | 'services', spec: unknown): OpenPort[] {
  const { ports, containers } = fieldsIn(spec);
  const declared =
    resource === 'services' ? listIn(ports) : listIn(containers).flatMap((item) => listIn(fieldsIn(item)['ports']));
  const found = new Map<string, OpenPort>();
  for (const item of declared) {
    const { port, containerPort, protocol, name, appProtocol } = fieldsIn(item);
    const number = resource === 'services' ? port : containerPort;
    if (typeof number !== 'number' || (textIn(protocol) || 'TCP') !== 'TCP') continue;
    const isTls = /https|tls/.test(`${textIn(name)} ${textIn(appProtocol)}`) || number === 443 || number === 8443;
    const text = textIn(name) ? `${number} (${textIn(name)})` : String(number);
    if (!found.has(String(number))) found.set(String(number), { port: String(number), text, isTls });
  }
  return [...found.values()];
}

/** For ports that no browser opens. Names of objects have no character that a shell reads. */
export const forwardCommand = (resource: 'pods' | 'services', namespace: string, name: string, port: string): string =>
  `kubectl -n ${namespace} port-forward ${resource === 'pods' ? 'pod' : 'service'}/${name} ${localPort(port)}:${port}`;

/** Ports below 1024 need rights on the user's machine. */
const localPort = (port: string): string => (Number(port) < 1024 ? String(8000 + Number(port)) : port);
