// The API server with its inputs: certificates, access, bootstrap objects, kubeconfigs.

import os from 'node:os';
import type { ComputedResource } from '../../api/api.ts';
import type { Client, RunningComponent } from '../../client/client.ts';
import type { ApiServer, Listener, Site, TokenIssuer, UserInfo } from '../../kube-apiserver/kube-apiserver.ts';
import { urlHost } from '../../machinery/ip.ts';
import { ensureAddOns } from '../add-ons/ensure.ts';
import { firstAddresses } from '../addresses/addresses.ts';
import { listenHost } from '../addresses/node-addresses.ts';
import { rotateCertificates } from '../certificates/certificate-rotation.ts';
import {
  type CertificateRequest,
  ensureCertificates,
  ensureFrontProxy,
  ensureSigningKey,
  frontProxyName,
  type KeyPair,
  kubeletClientName,
  makeSigningKey,
} from '../certificates/certificates.ts';
import { type RunConfig, settings } from '../config.ts';
import { readAccessFiles } from '../configuration/access-files.ts';
import { readAdmissionFiles } from '../configuration/admission-files.ts';
import { openAuditor } from '../configuration/auditing.ts';
import { LiveFiles } from '../configuration/live-files.ts';
import { readTracing } from '../configuration/tracing.ts';
import type { PartContext } from '../context.ts';
import { shownOptions } from '../flagz.ts';
import { type Identity, identities } from '../identities.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { ensureDefaultStorageClass } from '../objects/bootstrap.ts';
import type { Health } from '../objects/component-status.ts';
import { serveApi } from './serve-api.ts';
import type { StorePart } from './store.ts';

export interface ApiServerPart extends RunningComponent {
  /** Port that it listens on; undefined: it is reached in this process alone. */
  readonly port?: number;
  readonly pki?: Pki;
  /** Names and addresses in its certificate. */
  readonly names: readonly string[];
  /** A client of this process under an identity. */
  clientFor(user: UserInfo): Client;
  readonly signSecretToken: TokenIssuer['issueForSecret'];
  /** Serves resources that are computed for each read, until the returned function is called. */
  serveComputed(resources: readonly ComputedResource[]): () => void;
  /** Shows the health of a component of this process as its ComponentStatus, until the returned function is called. */
  reportHealth(component: string, health: Health): () => void;
  /** Serves pages on its port. */
  serveSite(site: Site): void;
  /** The user of a bearer token. Rejects when it is wrong. */
  userOfToken(token: string): Promise<UserInfo>;
  readonly history: ApiServer['history'];
  readonly refusals: ApiServer['refusals'];
  readonly deletions: ApiServer['deletions'];
  /** Makes certificates that are due or missing. Rejects with the reason when that fails. */
  checkCertificates(): Promise<void>;
  /** Calls it whenever certificates were renewed, with their names. */
  onRenewal(renewal: Renewal): void;
}

type Renewal = (names: ReadonlySet<string>) => void;

export interface Pki {
  readonly ca: KeyPair;
  readonly certificates: ReadonlyMap<string, KeyPair>;
}

/** Resolves when the API server can be used, in this process or over HTTPS, and the bootstrap objects are there. */
export async function startApiServerPart(context: PartContext, { store }: StorePart): Promise<ApiServerPart> {
  const { config, directory, clock, logger, metrics } = context;
  const { apiServiceIP, dnsServiceIPs } = firstAddresses(config.serviceCidr);
  const ensure = () => ensureCertificates(directory.pki, requests(config), clock.now());
  const pki = config.port === undefined ? undefined : await ensure();
  const proxy = pki && (await ensureFrontProxy(directory.pki, clock.now()));
  const frontProxy = proxy && { ca: proxy.ca.cert, allowedNames: [frontProxyName] };
  const issuer = `https://kubernetes.default.svc.${config.clusterDomain}`;
  const kubeletClient = pki?.certificates.get('apiserver-kubelet-client');
  let listener: Listener | undefined;
  const auditor = await openAuditor(config, directory, { clock, logger });
  const tracing = await readTracing(config.tracingConfig, context);
  const files = new LiveFiles({ clock, logger });
  const accessFiles = await readAccessFiles(config, { issuer, files, metrics, clock });
  const { port, apiServer, clientFor, signSecretToken, reportHealth, updateAccess, stop } = await serveApi(context, {
    store,
    ...(tracing && { tracing }),
    ...(auditor && { auditor }),
    access: {
      serviceAccounts: {
        signingKey: pki ? await ensureSigningKey(directory.pki) : makeSigningKey(),
        issuer,
      },
      ...accessFiles.options,
      ...(await configuredAccess(config)),
    },
    config: {
      flags: shownOptions(config),
      serviceCidr: config.serviceCidr,
      ...(kubeletClient && { kubeletClient }),
      ...(frontProxy && { frontProxy }),
      ...(proxy && { proxyClient: proxy.client }),
    },
    ...(pki && {
      async listen(apiServer) {
        listener = await listen(context, apiServer, pki);
        return listener.port;
      },
    }),
    bootstrap: (port) => ({
      serviceCidr: config.serviceCidr,
      apiServiceIP,
      dnsServiceIPs,
      endpoint: { ip: config.nodeIP, port: port ?? settings.port.default },
      clientCA: pki?.ca.cert,
      frontProxy,
      clock,
    }),
  });
  accessFiles.onChange(updateAccess);
  files.start();
  await ensureNodeObjects(context, clientFor(identities.apiServer));
  const renewals = new Set<Renewal>();
  const rotation = pki && rotate(context, { pki, proxy, ensure, renewals, listener: () => listener });
  return {
    ...(port !== undefined && { port }),
    ...(pki && { pki }),
    ...{ names: serverNames(config), clientFor, signSecretToken, reportHealth },
    ...{ serveSite: apiServer.serveSite, userOfToken: apiServer.userOfToken, history: apiServer.history },
    ...{ refusals: apiServer.refusals, deletions: apiServer.deletions },
    serveComputed: (resources) => apiServer.server.computed.add(resources),
    checkCertificates: async () => rotation?.check(),
    onRenewal: (renewal) => void renewals.add(renewal),
    async stop() {
      await files.stop();
      await rotation?.stop();
      await stop();
    },
  };
}

/** Once in the life of a cluster: they are the user's afterwards. */
async function ensureNodeObjects(context: PartContext, client: Client): Promise<void> {
  const { components, runtime } = context.config;
  // Its volumes are made by this cluster's nodes.
  if (components.includes('kubelet')) await ensureDefaultStorageClass(client);
  // Simulated pods have no network: neither services nor names lead to them.
  if (runtime !== 'simulated') await ensureAddOns({ ...context, client });
}

const configuredAccess = async (config: PartContext['config']) => ({
  // A single API server, as in tests: without a controller for service accounts, pods need none.
  missingServiceAccounts: config.components.length === 1,
  disabledAdmissionPlugins: config.disableAdmissionPlugins,
  enabledAdmissionPlugins: config.enableAdmissionPlugins,
  admissionConfiguration: await readAdmissionFiles(config),
  anonymousAuth: config.anonymousAuth,
});

interface Rotated {
  readonly pki: Pki;
  readonly proxy: Awaited<ReturnType<typeof ensureFrontProxy>> | undefined;
  readonly ensure: () => Promise<Pki>;
  readonly renewals: ReadonlySet<Renewal>;
  readonly listener: () => Listener | undefined;
}

function rotate(context: PartContext, { pki, proxy, ensure, renewals, listener }: Rotated) {
  const { directory, clock, logger } = context;
  return rotateCertificates({
    clock,
    logger,
    current: new Map([...pki.certificates, ...(proxy ? [[frontProxyName, proxy.client] as const] : [])]),
    async ensure() {
      const { certificates } = await ensure();
      const { client } = await ensureFrontProxy(directory.pki, clock.now());
      return new Map([...certificates, [frontProxyName, client]]);
    },
    async renewed(names) {
      const open = listener();
      if (names.has('apiserver')) open?.renew(certificateOf(pki, 'apiserver'));
      if (names.has('admin') && open) await writeAdminKubeconfig(context, open.port, pki);
      for (const renewal of renewals) renewal(names);
    },
  });
}

/** Opens the port and writes the administrator's kubeconfig for it. */
async function listen(context: PartContext, apiServer: ApiServer, pki: Pki): Promise<Listener> {
  const tls = { ...certificateOf(pki, 'apiserver'), clientCa: pki.ca.cert };
  const listener = await apiServer.listen({
    port: context.config.port ?? 0,
    host: listenHost(context.config.nodeIPs),
    tls,
  });
  await writeAdminKubeconfig(context, listener.port, pki);
  return listener;
}

async function writeAdminKubeconfig({ config, directory }: PartContext, port: number, pki: Pki): Promise<void> {
  await writeKubeconfig(directory.kubeconfig, {
    name: config.name,
    server: `https://${urlHost(config.nodeIP)}:${port}`,
    ca: pki.ca.cert,
    user: certificateOf(pki, 'admin'),
    userName: identities.admin.name,
  });
}

function certificateOf({ certificates }: Pki, name: string): KeyPair {
  const pair = certificates.get(name);
  if (!pair) throw new Error(`no certificate was made for ${name}`);
  return pair;
}

/** Name of a kubelet's certificate. */
export const kubeletCertificate = (node: string): string => `kubelet-${node}`;

/** A crowd of simulated nodes has no servers. */
const mostNodesWithServers = 50;

const serverNames = ({ clusterDomain, nodeIPs, serviceCidr }: RunConfig): string[] => {
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const addresses = ['127.0.0.1', firstAddresses(serviceCidr).apiServiceIP, ...nodeIPs];
  return [...new Set([...names, `kubernetes.default.svc.${clusterDomain}`, 'localhost', os.hostname(), ...addresses])];
};

/** https://kubernetes.io/docs/setup/best-practices/certificates/#all-certificates */
function requests(config: RunConfig): CertificateRequest[] {
  const { nodeIPs, nodeNames, runtime } = config;
  const nodes = nodeNames.map(
    (name): CertificateRequest => ({
      name: kubeletCertificate(name),
      ...subjectOf(identities.kubelet(name)),
      usage: 'both',
      hosts: [name, ...nodeIPs, '127.0.0.1'],
    }),
  );
  const ofNodeParts: CertificateRequest[] = [
    { name: 'kube-proxy', ...subjectOf(identities.proxy), usage: 'client' },
    { name: 'network-policy', ...subjectOf(identities.networkPolicy), usage: 'client' },
  ];
  return [
    {
      name: 'apiserver',
      commonName: 'kube-apiserver',
      usage: 'server',
      hosts: serverNames(config),
    },
    { name: 'admin', commonName: 'kubernetes-admin', organizations: ['system:masters'], usage: 'client' },
    // Nodes report their kubelets' addresses, so this certificate may only access kubelets.
    { name: 'apiserver-kubelet-client', commonName: kubeletClientName, usage: 'client' },
    ...(runtime === 'simulated' && nodeNames.length > mostNodesWithServers ? [] : nodes),
    ...(runtime === 'simulated' ? [] : ofNodeParts),
  ];
}

/** Every authenticated user is in this group: certificates do not name it. */
const implied = 'system:authenticated';

const subjectOf = ({ name, groups }: Identity): Pick<CertificateRequest, 'commonName' | 'organizations'> => ({
  commonName: name,
  organizations: groups.filter((group) => group !== implied),
});
