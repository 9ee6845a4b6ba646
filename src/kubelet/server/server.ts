// The kubelet's HTTPS API, behind the API server: logs, exec, attach, port-forward, stats, health.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { hostPathVolumeName, hostPathVolumesPath, type Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import type { HealthAnswer, HealthChecks } from '../../machinery/health-checks.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { drained } from '../../machinery/time/drained.ts';
import { type LogOptions, readLog } from '../logs/logs.ts';
import { serveSystemLog } from '../logs/system-logs.ts';
import { newest } from '../pods/pod-actions.ts';
import { cadvisorMetrics } from '../stats/cadvisor.ts';
import { resourceMetrics, statsSummary } from '../stats/stats.ts';
import type { KubeletTools } from '../tools.ts';
import { VolumeError } from '../volumes/volume.ts';
import { AccessError, KubeletAccess } from './access.ts';
import { configz } from './configz.ts';
import { kubeletHealth } from './health.ts';
import { urlOf } from './request-url.ts';
import { servePortForward } from './streaming/port-forward.ts';
import { serveRemoteCommand } from './streaming/remote-command.ts';
import { StreamPlaces, tooManyStreams } from './streaming/stream-places.ts';
import { refuse } from './streaming/upgrade.ts';

interface KubeletServer {
  readonly port: number;
  stop(): Promise<void>;
}

class HttpError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Of a request's headers with its path, which has the command of an exec: as the API server's. */
const headerBytes = 1 << 20;

/** All paths are authorized by the API server. */
export async function startServer(
  tools: KubeletTools,
  pods: () => readonly Pod[],
  metrics: Pick<Metrics, 'text'>,
  tls: { cert: string; key: string; clientCA: string },
): Promise<KubeletServer> {
  const sockets = new Set<Duplex>();
  const access = new KubeletAccess(tools.client, tools.clock, tools.config.nodeName);
  const health = kubeletHealth(tools);
  const clients = { ca: tls.clientCA, requestCert: true, rejectUnauthorized: false };
  const server = createServer(
    { cert: tls.cert, key: tls.key, ...clients, maxHeaderSize: headerBytes },
    (request, response) => {
      handle(tools, access, pods, { metrics, health }, request, response).catch((error) =>
        answerError(response, error),
      );
    },
  );
  const places = new StreamPlaces();
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => {});
    if (!places.take(socket)) return refuse(socket, 503, tooManyStreams);
    upgrade(tools, access, pods, request, socket, head).catch((error) => refuse(socket, codeOf(error), error.message));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(tools.config.port, tools.config.nodeIPs[0], resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const codeOf = (error: Error) => (error instanceof HttpError || error instanceof AccessError ? error.code : 500);

function answerError(response: ServerResponse, error: Error): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(codeOf(error), { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${error.message}\n`);
}

async function handle(
  tools: KubeletTools,
  access: KubeletAccess,
  pods: () => readonly Pod[],
  { metrics, health }: { readonly metrics: Pick<Metrics, 'text'>; readonly health: HealthChecks },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = urlOf(request);
  if (!url) throw new HttpError(400, '400 Bad Request');
  const [, verb, ...rest] = url.pathname.split('/');
  await access.check(request, verb);
  if (verb === hostPathVolumesPath && request.method === 'DELETE') return deleteVolume(tools, rest.join('/'), response);
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError(405, 'Method Not Allowed');
  if (verb === 'containerLogs' && rest.length === 3)
    return containerLogs(tools, findPod(pods(), rest), rest[2], url.searchParams, response);
  if (verb === 'healthz') return text(response, await health.answer(url.pathname, url.searchParams));
  const { systemLogs } = tools.machine;
  if (url.pathname.startsWith('/logs/') && systemLogs)
    return serveSystemLog(systemLogs, unescaped(url.pathname.slice('/logs/'.length)), request, response);
  switch (url.pathname.replace(/\/$/, '')) {
    case '/pods':
      return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods() });
    case '/runningpods':
      return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: runningPods(tools, pods()) });
    case '/configz':
      return json(response, configz({ ...tools.config, port: request.socket.localPort ?? tools.config.port }));
    case '/stats/summary':
      return json(response, await statsSummary(tools, pods()));
    case '/metrics':
      return metricsText(response, ownMetrics(metrics.text()) + (tools.csi?.stats.metricsText() ?? ''));
    case '/metrics/cadvisor':
      return metricsText(response, await cadvisorMetrics(tools, pods()));
    case '/metrics/probes':
      return metricsText(response, tools.probes.metricsText());
    case '/metrics/slis':
      return metricsText(response, health.slis.text());
    case '/metrics/resource':
      return metricsText(response, await resourceMetrics(tools, pods()));
    default:
      throw new HttpError(404, '404 page not found');
  }
}

/** Pods of the runtime with containers that run, as far as the runtime knows them. */
function runningPods(tools: KubeletTools, pods: readonly Pod[]): object[] {
  return pods.flatMap(({ metadata: { name, namespace, uid } }) => {
    const running = tools.cache.get(uid).containers.filter(({ state }) => state === 'running');
    const containers = running.map((container) => ({ name: container.name, image: container.image, resources: {} }));
    if (containers.length === 0) return [];
    const { nodeName } = tools.config;
    return [
      { metadata: { name, namespace, uid, creationTimestamp: null }, spec: { nodeName, containers }, status: {} },
    ];
  });
}

async function deleteVolume({ machine }: KubeletTools, name: string, response: ServerResponse): Promise<void> {
  if (!hostPathVolumeName.test(name)) throw new HttpError(404, `there is no volume ${JSON.stringify(name)}`);
  await machine.hostPathVolumes?.remove(name).catch((error: Error) => {
    throw error instanceof VolumeError ? new HttpError(409, error.message) : error;
  });
  json(response, {});
}

function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new HttpError(400, '400 Bad Request');
  }
}

const text = (response: ServerResponse, { code, text: body }: HealthAnswer): void =>
  void response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' }).end(body);

const metricsText = (response: ServerResponse, text: string): void =>
  void response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8').end(text);

/** The kubelet's among the metrics of all components that share its process. */
export const ownMetrics = (text: string): string =>
  text
    .split(/^(?=# HELP )/m)
    .filter((family) => /^# HELP (kubelet|csi|process|nodejs|rest_client)_/.test(family))
    .join('');

const json = (response: ServerResponse, body: unknown): void =>
  void response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));

function findPod(pods: readonly Pod[], [namespace, name]: readonly string[]): Pod {
  const pod = pods.find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
  if (!pod) throw new HttpError(404, `pod "${namespace}/${name}" not found`);
  return pod;
}

async function findContainer(tools: KubeletTools, pod: Pod, name: string): Promise<ContainerStatus> {
  const find = () => tools.cache.get(pod.metadata.uid).containers.find((c) => c.name === name && c.state === 'running');
  let found = find();
  if (!found) {
    await tools.cache.refresh();
    found = find();
  }
  if (!found) throw new HttpError(404, `container not found ("${name}")`);
  return found;
}

const flag = (params: URLSearchParams, ...names: string[]) =>
  names.some((name) => ['1', 'true'].includes(params.get(name) ?? ''));

function whole(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,18}$/.test(text)) throw new HttpError(400, '{"message": "Unable to decode query."}');
  return Number(text);
}

async function containerLogs(
  tools: KubeletTools,
  pod: Pod,
  name: string,
  params: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const exists = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []),
    ...(pod.spec.ephemeralContainers ?? []),
  ].some((c) => c.name === name);
  if (!exists) throw new HttpError(404, `container "${name}" not found in pod "${pod.metadata.name}"`);
  const all = () =>
    tools.cache.get(pod.metadata.uid).containers.filter((c) => c.name === name && c.state !== 'created');
  if (all().length === 0) await tools.cache.refresh();
  const current = newest(all(), name);
  const previous = flag(params, 'previous');
  const chosen = previous
    ? newest(
        all().filter((c) => c !== current),
        name,
      )
    : current;
  if (!chosen && previous)
    throw new HttpError(400, `previous terminated container "${name}" in pod "${pod.metadata.name}" not found`);
  if (!chosen)
    throw new HttpError(
      400,
      `container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${waitingReason(pod, name)}`,
    );
  const options: LogOptions = {
    follow: flag(params, 'follow') && !previous,
    timestamps: flag(params, 'timestamps'),
    tailLines: whole(params, 'tailLines'),
    sinceSeconds: whole(params, 'sinceSeconds'),
    sinceTime: params.get('sinceTime') ?? undefined,
    limitBytes: whole(params, 'limitBytes'),
    stream: params.get('stream') ?? undefined,
  };
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  const isRunning = () =>
    tools.cache.get(pod.metadata.uid).containers.some((c) => c.id === chosen.id && c.state === 'running');
  const log = { root: tools.config.podLogsDirectory, file: chosen.logPath };
  for await (const text of readLog(log, options, tools.clock, isRunning, gone.signal)) {
    if (!response.write(text)) await drained(response);
  }
  response.end();
}

function waitingReason(pod: Pod, name: string): string {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return statuses.find((s) => s.name === name)?.state?.waiting?.reason ?? 'ContainerCreating';
}

async function upgrade(
  tools: KubeletTools,
  access: KubeletAccess,
  pods: () => readonly Pod[],
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const url = urlOf(request);
  if (!url) throw new HttpError(400, '400 Bad Request');
  const { pathname, searchParams: params } = url;
  const [, verb, ...rest] = pathname.split('/');
  await access.check(request, verb);
  if (verb === 'portForward') {
    const pod = findPod(pods(), rest);
    const sandbox = tools.cache.get(pod.metadata.uid).sandboxes.find((s) => s.state === 'ready');
    if (!sandbox) throw new HttpError(500, `pod ${pod.metadata.name} is not running`);
    return servePortForward(request, socket, head, (port) => tools.runtime.portForward(sandbox.id, port), sandbox.id);
  }
  if (verb !== 'exec' && verb !== 'attach') throw new HttpError(404, '404 page not found');
  const container = await findContainer(tools, findPod(pods(), rest), rest[2] ?? '');
  // kubectl sends stdin, the API server input: the kubelet accepts both.
  const options = {
    stdin: flag(params, 'input', 'stdin'),
    stdout: flag(params, 'output', 'stdout'),
    stderr: flag(params, 'error', 'stderr'),
    tty: flag(params, 'tty'),
  };
  if (!options.stdin && !options.stdout && !options.stderr)
    throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
  const begin = () =>
    verb === 'exec'
      ? tools.runtime.exec(container.id, params.getAll('command'), options)
      : tools.runtime.attach(container.id, options);
  return serveRemoteCommand(request, socket, head, options, tools.clock, begin);
}
