// kube-proxy as the program of a built-in image. Its arguments, ports and pages are those of Kubernetes' kube-proxy:
// https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/

import { formatTime } from '../../api/api.ts';
import type { ComponentContext } from '../../client/client.ts';
import type { BuiltInRun } from '../../container-runtime/container-runtime.ts';
import { type RunningKubeProxy, startKubeProxy } from '../../kube-proxy/kube-proxy.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { listenHost } from '../addresses/node-addresses.ts';
import { machineName, type RunConfig, settings } from '../config.ts';
import { identities } from '../identities.ts';
import type { NodePartContext } from '../node-part.ts';
import { list } from '../settings/setting-values.ts';
import { version } from '../version.ts';
import { containerLogger } from './container-logger.ts';
import { type Endpoint, endpoint, readFlags } from './flags.ts';
import { metricsPage, type Pages, servePages } from './pages.ts';
import { addOnImages, type ReportingProgram } from './program.ts';

interface ProxyFlags {
  readonly 'proxy-mode': RunConfig['proxyMode'];
  readonly 'metrics-bind-address': Endpoint | undefined;
  readonly 'healthz-bind-address': Endpoint | undefined;
}

const flags = {
  'proxy-mode': settings.proxyMode.read,
  'metrics-bind-address': endpoint(10249),
  'healthz-bind-address': endpoint(10256),
};
const defaultsOf = ({ nodeIPs }: RunConfig) => ({
  'metrics-bind-address': { host: '127.0.0.1', port: 10249 },
  'healthz-bind-address': { host: listenHost(nodeIPs), port: 10256 },
});
/** Another cluster on this machine may have the ports: kube-proxy too goes on without them, and tries again. */
const bindRetryMs = 5_000;

/** The service proxy of this machine, with the machine's settings where `mode` is left out. */
export const startProxy = (
  context: ComponentContext,
  config: RunConfig,
  mode: RunConfig['proxyMode'] = config.proxyMode,
): ReturnType<typeof startKubeProxy> =>
  startKubeProxy(context, {
    nodeName: config.nodeNames[0],
    nodeIPs: config.nodeIPs,
    mode,
    clusterCidrs: list(config.clusterCidr),
    serviceCidrs: list(config.serviceCidr),
    clusterName: machineName(config),
  });

interface Running {
  /** Namespace and name of the pod. */
  readonly of: string;
  proxy?: RunningKubeProxy;
}

/** Nodes that share a machine share its rules: the pod of the first one serves them all. */
export function kubeProxyProgram(parts: NodePartContext, node: string): ReportingProgram {
  const { config, clock, random } = parts;
  let running: Running | undefined;
  const start = async (run: BuiltInRun) => {
    const given = { ...defaultsOf(config), ...readFlags<ProxyFlags>(run.args, flags) };
    const logger = containerLogger(run.log, clock);
    if (node !== config.nodeNames[0]) {
      logger.info('the node shares its machine with another one, whose pod serves both', {
        node: config.nodeNames[0],
      });
      return { stop: async () => {} };
    }
    if (running) throw new Error(`kube-proxy runs on this node already, in the pod ${running.of}`);
    const own: Running = { of: `${run.pod.namespace}/${run.pod.name}` };
    running = own;
    const metrics = new Metrics();
    const context = { client: parts.clientFor(identities.proxy), clock, random, logger, metrics, fatal: run.fail };
    const pages = [
      bind(given['healthz-bind-address'], healthPages(own, context), context, run.signal),
      bind(given['metrics-bind-address'], metricsPages(own, metrics), context, run.signal),
    ];
    const stop = async () => {
      for (const page of pages) page.close();
      await own.proxy?.stop();
      running = undefined;
    };
    try {
      own.proxy = await startProxy(context, config, given['proxy-mode']);
      return { stop };
    } catch (error) {
      await stop();
      throw error;
    }
  };
  return { image: addOnImages['kube-proxy'], version, start, problem: () => running?.proxy?.health?.() };
}

function healthPages(own: Running, { clock }: Pick<ComponentContext, 'clock'>): Pages {
  const health = () => {
    const isHealthy = own.proxy !== undefined && own.proxy.health?.() === undefined;
    const currentTime = formatTime(clock.now());
    return {
      code: isHealthy ? 200 : 503,
      type: 'application/json',
      text: JSON.stringify({ currentTime, nodeEligible: true }),
    };
  };
  return { '/healthz': health, '/livez': health };
}

const metricsPages = (own: Running, metrics: Metrics): Pages => ({
  '/metrics': metricsPage(() => metrics.text()),
  '/proxyMode': () => ({ code: 200, text: own.proxy?.mode ?? '' }),
  '/healthz': () => ({ code: 200, text: 'ok' }),
});

/** Serves pages as soon as their address is free. */
function bind(
  at: Endpoint | undefined,
  pages: Pages,
  { clock, logger }: Pick<ComponentContext, 'clock' | 'logger'>,
  signal: AbortSignal,
): { close(): void } {
  let server: { close(): void } | undefined;
  const closing = new AbortController();
  const isOver = () => closing.signal.aborted || signal.aborted;
  const listen = async () => {
    for (let isFirst = true; at && !isOver(); isFirst = false)
      try {
        server = await servePages(at, pages);
        if (isOver()) server.close();
        return;
      } catch (error) {
        if (isFirst) logger.warn('cannot listen, trying again', { ...at, error: (error as Error).message });
        await clock.sleep(bindRetryMs, closing.signal).catch(() => {});
      }
  };
  void listen();
  return {
    close() {
      closing.abort();
      server?.close();
    },
  };
}
