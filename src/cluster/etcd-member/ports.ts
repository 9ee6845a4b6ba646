// The address and ports of a member are checked before the cluster changes.

import { createServer } from 'node:net';
import { EtcdMemberError, type EtcdMemberOptions } from './interface.ts';

/** Throws EtcdMemberError. */
export async function checkPorts({ address, clientPort = 2379, peerPort = 2380 }: EtcdMemberOptions): Promise<void> {
  for (const port of [clientPort, peerPort]) {
    const code = await tryListen(address, port);
    if (code === 'EADDRINUSE')
      throw new EtcdMemberError(
        `port ${port} of ${address}, for etcd, is taken by another program: end it, or choose another port`,
      );
    if (code === 'EADDRNOTAVAIL')
      throw new EtcdMemberError(`${address} is no address of this machine: choose one that the other machines reach`);
    if (code !== undefined) throw new EtcdMemberError(`port ${port} of ${address}, for etcd, cannot be used: ${code}`);
  }
}

function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/** A port of loopback that no program has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new EtcdMemberError('this machine has no free port');
  return address.port;
}
