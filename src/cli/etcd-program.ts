// Started in place of the program etcd by test environments. It is small, because it starts before everything else.

import { EtcdUsageError, readEtcdFlags, serveEtcdStandIn } from '../cluster/etcd-stand-in/etcd-stand-in.ts';
import { endWith } from './running/until-ended.ts';

try {
  const running = await serveEtcdStandIn(readEtcdFlags(process.argv.slice(2)));
  endWith(() => running.stop());
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  process.stderr.write(
    `etcd: ${code === 'EADDRINUSE' ? `${message}: choose another --listen-client-urls` : message}\n`,
  );
  process.exitCode = error instanceof EtcdUsageError ? 2 : 1;
}
