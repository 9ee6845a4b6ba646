// Cluster DNS as the program of a built-in image. It uses the token of its pod's service account, so that it runs on any
// node of the cluster.

import { startClusterDns } from '../../cluster-dns/cluster-dns.ts';
import type { BuiltInRun } from '../../container-runtime/container-runtime.ts';
import { readBeneath } from '../../kubelet/kubelet.ts';
import { Metrics } from '../../machinery/metrics.ts';
import type { NodePartContext } from '../node-part.ts';
import { version } from '../version.ts';
import { containerLogger } from './container-logger.ts';
import { portNumber, readFlags } from './flags.ts';
import { metricsPage, servePages } from './pages.ts';
import { addOnImages, type ReportingProgram } from './program.ts';

interface DnsFlags {
  readonly port: number;
  readonly 'metrics-port': number;
}

const dnsPort = 53;
const metricsPort = 9153;
/** The former pod may still stop, on this node or on another one of this machine. */
const portWaitMs = 5_000;
const portRetryMs = 100;
const longestToken = 65_536;

export function clusterDnsProgram(parts: NodePartContext): ReportingProgram {
  const { config, clock, random } = parts;
  const start = async (run: BuiltInRun) => {
    const { port = dnsPort, 'metrics-port': pagesPort = metricsPort } = readFlags<DnsFlags>(run.args, {
      port: portNumber,
      'metrics-port': portNumber,
    });
    const metrics = new Metrics();
    const logger = containerLogger(run.log, clock);
    const api = parts.connect({ token: tokenOf(run), userAgent: 'cluster-dns' });
    const context = { client: api.client, clock, random, logger, metrics, fatal: run.fail };
    let isReady = false;
    const pages = {
      '/health': () => ({ code: 200, text: 'OK' }),
      '/ready': () => ({ code: isReady ? 200 : 503, text: isReady ? 'OK' : 'the lists of services are not complete' }),
      '/metrics': metricsPage(() => metrics.text()),
    };
    const free = await whenFree(() => servePages({ host: config.nodeIP, port: pagesPort }, pages), clock, run.signal);
    const close = () => {
      free.close();
      api.close();
    };
    try {
      const dns = await whenFree(
        () =>
          startClusterDns(context, {
            addresses: config.nodeIPs,
            port,
            clusterDomain: config.clusterDomain,
            resolvConf: '/etc/resolv.conf',
          }),
        clock,
        run.signal,
      );
      await Promise.race([dns.synced, aborted(run.signal)]);
      isReady = true;
      logger.info('cluster DNS serves', { addresses: config.nodeIPs, port, domain: config.clusterDomain });
      return { stop: () => dns.stop().finally(close) };
    } catch (error) {
      close();
      throw error;
    }
  };
  return { image: addOnImages['cluster-dns'], version, start, problem: () => undefined };
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));

/** Reads the token for each request: the kubelet renews it. */
function tokenOf({ mounts }: BuiltInRun): () => Promise<string> {
  const account = mounts.find(({ origin }) => origin === 'service-account');
  if (!account) throw new Error('the pod has no service account token: do not set automountServiceAccountToken: false');
  return async () => (await readBeneath(account.hostPath, 'token', longestToken)).trim();
}

/** Listens again for a while as long as another server has the port. */
async function whenFree<T>(listen: () => Promise<T>, clock: NodePartContext['clock'], signal: AbortSignal): Promise<T> {
  const untilMs = clock.monotonic() + portWaitMs;
  for (;;)
    try {
      return await listen();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || clock.monotonic() > untilMs) throw error;
      await clock.sleep(portRetryMs, signal);
    }
}
