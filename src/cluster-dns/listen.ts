// The sockets of the server: UDP and TCP on each address, on one port.

import dgram from 'node:dgram';
import net, { type AddressInfo } from 'node:net';

interface Sockets {
  readonly udp: dgram.Socket;
  readonly tcp: net.Server;
}

/** `port` 0 takes a free one. Rejects with the system's error when an address or its port is not free; then none listens. */
export async function listenOn(
  addresses: readonly string[],
  port: number,
): Promise<{ readonly port: number; readonly sockets: readonly Sockets[] }> {
  const sockets: Sockets[] = [];
  let chosen = port;
  try {
    for (const address of addresses) {
      const isSix = net.isIPv6(address);
      const udp = dgram.createSocket(isSix ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
      const tcp = net.createServer();
      sockets.push({ udp, tcp });
      await new Promise<void>((resolve, reject) => {
        tcp.once('error', reject);
        tcp.listen({ port: chosen, host: address, ipv6Only: isSix }, resolve);
      });
      chosen = (tcp.address() as AddressInfo).port;
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject);
        udp.bind(chosen, address, resolve);
      });
    }
  } catch (error) {
    for (const { udp, tcp } of sockets) {
      tcp.close();
      udp.close();
    }
    throw error;
  }
  return { port: chosen, sockets };
}
