// An API server alone, configured by the flags of kube-apiserver: it stands in for that program.

import path from 'node:path';
import { builtinKinds, KindRegistry, kubernetesVersion } from '../../api/api.ts';
import type { Listener, ServerConfig } from '../../kube-apiserver/kube-apiserver.ts';
import { urlHost } from '../../machinery/ip.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import { firstAddresses } from '../addresses/addresses.ts';
import { nodeAddresses } from '../addresses/node-addresses.ts';
import { openAuditor } from '../configuration/auditing.ts';
import { LiveFiles } from '../configuration/live-files.ts';
import { readTracing } from '../configuration/tracing.ts';
import type { Environment } from '../context.ts';
import { type ServedApi, serveApi } from '../parts/serve-api.ts';
import { readAccess } from './access.ts';
import { flagFaults } from './check-flags.ts';
import { servedKinds } from './features.ts';
import { absolute } from './files.ts';
import { type FlagValues, flags, sections } from './flags.ts';
import { flagHelp, parseFlags } from './parse-flags.ts';
import { openServing, type Serving } from './serving.ts';
import { openFlaggedStore } from './store.ts';

interface ApiServerCommand {
  readonly values: FlagValues;
  /** If there are any, the server must not start. */
  readonly faults: readonly string[];
  /** Flags that were accepted and have no effect. */
  readonly ignored: readonly string[];
}

export function readApiServerCommand(words: readonly string[]): ApiServerCommand {
  const { values, given, faults, ignored } = parseFlags(flags, words);
  // Flags that could not be read make others look wrong.
  return { values, ignored, faults: faults.length > 0 ? faults : flagFaults(values, given) };
}

export const apiServerHelp = (): string =>
  `The API server of Kubernetes ${kubernetesVersion.gitVersion}, by Coracle. It takes the flags of kube-apiserver.\n\nUsage:\n  kube-apiserver [flags]\n\n${flagHelp(sections)}`;

export const apiServerVersion = (): string => `Kubernetes ${kubernetesVersion.gitVersion}`;

/** Resolves when the server is ready. Rejects with the fault and its flag. */
export async function startApiServer(values: FlagValues, environment: Environment): Promise<ServedApi> {
  const { clock, logger } = environment;
  const advertised = advertisedAddress(values);
  const port = values['secure-port'];
  const { apiServiceIP } = firstAddresses(values['service-cluster-ip-range']);
  const files = new LiveFiles({ clock, logger });
  const url = `https://${values['external-hostname'] || urlHost(advertised)}:${port}`;
  const [serving, { access, onChange }, auditor, tracing] = await Promise.all([
    openServing(values, [advertised, apiServiceIP], { files, nowMs: clock.now() }),
    readAccess(values, url, { ...environment, files }),
    openAuditor(auditSettings(values), { root: '' }, { clock, logger }),
    readTracing(absolute(values['tracing-config-file']), environment),
  ]);
  const { trust, tls } = serving;
  const store = await openFlaggedStore(values, files, environment);
  let listener: Listener | undefined;
  try {
    const served = await serveApi(environment, {
      store,
      access,
      config: serverConfig(values, serving),
      ...(auditor && { auditor }),
      ...(tracing && { tracing }),
      kinds: kindsOf(values),
      listen: async (apiServer) => {
        const where = { port, host: values['bind-address'] || '0.0.0.0' };
        listener = await apiServer.listen({ ...where, tls });
        return listener.port;
      },
      bootstrap: () => ({
        serviceCidr: values['service-cluster-ip-range'],
        apiServiceIP,
        endpoint: { ip: values['endpoint-reconciler-type'] === 'none' ? '127.0.0.1' : advertised, port },
        get clientCA() {
          return trust.clientCa;
        },
        frontProxy: trust.frontProxy,
        clock,
      }),
    });
    if (listener) serving.begin(listener, () => void served.publishTrust());
    onChange(served.updateAccess);
    files.start();
    return {
      ...served,
      async stop() {
        await files.stop();
        const delayMs = values['shutdown-delay-duration'];
        if (delayMs > 0) await served.apiServer.drain(delayMs);
        await served.stop();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Members of a cluster do not reach the loopback address. */
function advertisedAddress(values: FlagValues): string {
  const address = values['advertise-address'] || values['bind-address'];
  return /^(127\.|0\.0\.0\.0$|::1?$|$)/.test(address) && !values['advertise-address']
    ? nodeAddresses(undefined, values['service-cluster-ip-range'])[0]
    : address;
}

function serverConfig(values: FlagValues, { trust, clients }: Serving): Partial<ServerConfig> {
  return {
    serviceCidr: values['service-cluster-ip-range'],
    nodePortRange: values['service-node-port-range'],
    kubeletAddressTypes: values['kubelet-preferred-address-types'],
    ...clients,
    ...(trust.frontProxy && { frontProxy: trust.frontProxy }),
    profiling: values.profiling,
    refusesRedirects: values['aggregator-reject-forwarding-redirect'],
    flags: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, textOf(name as keyof FlagValues, value)]),
    ),
    requestTimeoutMs: values['request-timeout'],
    seats: values['max-requests-inflight'] + values['max-mutating-requests-inflight'],
    minWatchSeconds: values['min-request-timeout'],
  };
}

/** As flags show their values. */
function textOf(name: keyof FlagValues, value: unknown): string {
  if (flags[name].type === 'duration') return formatDuration(value as number);
  if (Array.isArray(value)) return `[${value.join(',')}]`;
  if (value instanceof Map) return [...value].map(([key, one]) => `${key}=${one}`).join(',');
  return typeof value === 'object' && value !== null ? Object.values(value).join('-') : String(value);
}

const auditSettings = (values: FlagValues) => {
  const file = (name: 'audit-policy-file' | 'audit-webhook-config-file') => absolute(values[name]);
  const log = values['audit-log-path'];
  const hasTarget = log !== '' || values['audit-webhook-config-file'] !== '';
  return {
    // As in Kubernetes, a policy alone records nothing.
    auditPolicy: hasTarget ? file('audit-policy-file') : undefined,
    auditLog: log === '' || log === '-' ? log || undefined : path.resolve(log),
    auditWebhookConfig: file('audit-webhook-config-file'),
    rotation: {
      maxSize: values['audit-log-maxsize'],
      maxBackups: values['audit-log-maxbackup'],
      maxAge: values['audit-log-maxage'],
    },
  };
};

const kindsOf = (values: FlagValues): KindRegistry =>
  new KindRegistry(
    values['runtime-config'].size > 0 || values['event-ttl'] !== flags['event-ttl'].default
      ? servedKinds(values['runtime-config'], Math.max(1, Math.floor(values['event-ttl'] / 1_000)))
      : builtinKinds(),
  );
