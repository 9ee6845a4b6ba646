// The API server with all that it needs: certificates, who may enter, the objects of a fresh control plane, kubeconfigs.

import os from 'node:os';
import { formatTime } from '../../api/api.ts';
import { createClient, type RunningComponent } from '../../client/client.ts';
import { type ApiServer, createAccess, createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { firstAddresses } from '../addresses.ts';
import { type Assembly, identities } from '../assembly.ts';
import { openAuditor } from '../auditing.ts';
import { ensureBootstrapObjects } from '../bootstrap.ts';
import {
  type CertificateRequest,
  ensureCertificates,
  ensureFrontProxy,
  ensureSigningKey,
  frontProxyName,
  kubeletClientName,
  makeSigningKey,
} from '../certificates.ts';
import { type ClusterConfig, defaultPort } from '../config.ts';
import { keepObjects } from '../kept-objects.ts';
import { writeKubeconfig } from '../kubeconfig.ts';

/** Resolves when the API server can be used, in this process or over HTTPS, and the bootstrap objects are there. */
export async function startApiServerPart(assembly: Assembly): Promise<RunningComponent> {
  const { config, directory, clock, random, logger, metrics, store } = assembly;
  const { apiServiceIP, dnsServiceIP } = firstAddresses(config.serviceCidr);
  const inProcessOnly = config.port === undefined;
  const pki = inProcessOnly
    ? undefined
    : await ensureCertificates(directory.pki, requests(config, apiServiceIP), clock.now());
  const frontProxy = inProcessOnly ? undefined : await ensureFrontProxy(directory.pki, clock.now());
  const signingKey = inProcessOnly ? makeSigningKey() : await ensureSigningKey(directory.pki);
  const access = createAccess({
    clock,
    random,
    signingKey,
    issuer: `https://kubernetes.default.svc.${config.clusterDomain}`,
    // An API server alone, as tests run it: nothing makes service accounts, so pods need none.
    missingServiceAccounts: config.components.length === 1,
  });
  const kubeletClient = pki?.certificates.get('apiserver-kubelet-client');
  const ownLogger = logger.child({ component: 'kube-apiserver' });
  const auditor = config.audit && (await openAuditor(config.audit, { clock, logger: ownLogger }));
  const apiServer = await createApiServer({
    store: store!,
    clock,
    random,
    logger: ownLogger,
    ...(auditor && { auditor }),
    metrics,
    authenticators: access.authenticators,
    authorizers: access.authorizers,
    admission: access.admission,
    tokens: access.tokens,
    config: {
      serviceCidr: config.serviceCidr,
      ...(kubeletClient && { kubeletClient }),
      ...(frontProxy && {
        frontProxy: { ca: frontProxy.ca.cert, ...frontProxy.client, allowedNames: [frontProxyName] },
      }),
    },
  });
  const self = createClient(apiServer.transport(identities.apiServer));
  // Before it listens: nobody is to be judged by half of the roles.
  await access.start({ client: self, clock, random, logger });
  Object.assign(assembly, {
    apiServer,
    ...pki,
    clientFor: (user) => createClient(apiServer.transport(user)),
  } satisfies Partial<Assembly>);
  if (pki) assembly.port = await listen(assembly, apiServer);
  const inputs = {
    serviceCidr: config.serviceCidr,
    apiServiceIP,
    dnsServiceIP,
    endpoint: { ip: config.nodeIP, port: assembly.port ?? defaultPort },
    clientCA: pki?.ca.cert ?? '',
    frontProxyCA: frontProxy?.ca.cert ?? '',
    today: formatTime(clock.now()).slice(0, 10),
  };
  await ensureBootstrapObjects(self, inputs);
  const kept = keepObjects(self, inputs, { clock, logger: ownLogger });
  return {
    async stop() {
      kept.stop();
      await access.stop();
      await apiServer.stop();
    },
  };
}

/** Opens the port and writes the administrator's kubeconfig for it. */
async function listen({ config, directory, ca, certificates }: Assembly, apiServer: ApiServer): Promise<number> {
  const tls = { ...certificates!.get('apiserver')!, clientCa: ca!.cert };
  const { port } = await apiServer.listen({ port: config.port!, host: '0.0.0.0', tls });
  const user = certificates!.get('admin')!;
  const server = `https://${config.nodeIP}:${port}`;
  await writeKubeconfig(directory.kubeconfig, {
    name: config.name,
    server,
    ca: ca!.cert,
    user,
    userName: 'kubernetes-admin',
  });
  return port;
}

/** A crowd of simulated nodes has no servers. */
const mostNodesWithServers = 50;

/** https://kubernetes.io/docs/setup/best-practices/certificates/#all-certificates */
function requests(
  { clusterDomain, nodeIP, nodeNames, runtime }: ClusterConfig,
  apiServiceIP: string,
): CertificateRequest[] {
  const names = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${clusterDomain}`,
    'localhost',
    os.hostname(),
  ];
  const nodes = nodeNames.map(
    (name): CertificateRequest => ({
      name: `kubelet-${name}`,
      commonName: `system:node:${name}`,
      organizations: ['system:nodes'],
      usage: 'both',
      hosts: [name, nodeIP, '127.0.0.1'],
    }),
  );
  return [
    {
      name: 'apiserver',
      commonName: 'kube-apiserver',
      usage: 'server',
      hosts: [...new Set([...names, '127.0.0.1', apiServiceIP, nodeIP])],
    },
    { name: 'admin', commonName: 'kubernetes-admin', organizations: ['system:masters'], usage: 'client' },
    // Nodes say where their kubelets are, so this certificate may do no more than use kubelets.
    { name: 'apiserver-kubelet-client', commonName: kubeletClientName, usage: 'client' },
    ...(runtime === 'simulated' && nodeNames.length > mostNodesWithServers ? [] : nodes),
  ];
}
