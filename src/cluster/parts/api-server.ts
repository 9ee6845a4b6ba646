// The API server with all that it needs: certificates, who may enter, the objects of a fresh control plane, kubeconfigs.

import os from 'node:os';
import { formatTime } from '../../api/api.ts';
import { createClient, type RunningComponent } from '../../client/client.ts';
import { createAccess, createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { firstAddresses } from '../addresses.ts';
import { type Assembly, identities } from '../assembly.ts';
import { ensureBootstrapObjects } from '../bootstrap.ts';
import { type CertificateRequest, ensureCertificates, ensureSigningKey } from '../certificates.ts';
import { type ClusterConfig, nodeNames } from '../config.ts';
import { writeKubeconfig } from '../kubeconfig.ts';

/** Resolves when the API server listens and the bootstrap objects are there. */
export async function startApiServerPart(assembly: Assembly): Promise<RunningComponent> {
  const { config, directory, clock, random, logger, metrics, store } = assembly;
  const { apiServiceIP, dnsServiceIP } = firstAddresses(config.serviceCidr);
  const { ca, certificates } = await ensureCertificates(directory.pki, requests(config, apiServiceIP), clock.now());
  const serving = certificates.get('apiserver')!;
  const access = createAccess({
    clock,
    random,
    signingKey: await ensureSigningKey(directory.pki),
    issuer: `https://kubernetes.default.svc.${config.clusterDomain}`,
  });
  const apiServer = await createApiServer({
    store: store!,
    clock,
    random,
    logger: logger.child({ component: 'kube-apiserver' }),
    metrics,
    authenticators: access.authenticators,
    authorizers: access.authorizers,
    admission: access.admission,
    tokens: access.tokens,
    config: { serviceCidr: config.serviceCidr, kubeletClient: certificates.get('apiserver-kubelet-client')! },
  });
  const self = createClient(apiServer.transport(identities.apiServer));
  // Before it listens: nobody is to be judged by half of the roles.
  await access.start({ client: self, clock, random, logger });
  const listener = await apiServer.listen({
    port: config.port,
    host: '0.0.0.0',
    tls: { ...serving, clientCa: ca.cert },
  });
  Object.assign(assembly, {
    apiServer,
    port: listener.port,
    ca,
    certificates,
    clientFor: (user) => createClient(apiServer.transport(user)),
  } satisfies Partial<Assembly>);

  const admin = certificates.get('admin')!;
  const server = `https://${config.nodeIP}:${listener.port}`;
  await writeKubeconfig(directory.kubeconfig, {
    name: config.name,
    server,
    ca: ca.cert,
    user: admin,
    userName: 'kubernetes-admin',
  });
  await ensureBootstrapObjects(self, {
    serviceCidr: config.serviceCidr,
    apiServiceIP,
    dnsServiceIP,
    endpoint: { ip: config.nodeIP, port: listener.port },
    clientCA: ca.cert,
    today: formatTime(clock.now()).slice(0, 10),
  });
  return {
    async stop() {
      await access.stop();
      await apiServer.stop();
    },
  };
}

/** https://kubernetes.io/docs/setup/best-practices/certificates/#all-certificates */
function requests(config: ClusterConfig, apiServiceIP: string): CertificateRequest[] {
  const domain = config.clusterDomain;
  const hosts = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${domain}`,
    'localhost',
    os.hostname(),
    '127.0.0.1',
    apiServiceIP,
    config.nodeIP,
  ];
  return [
    { name: 'apiserver', commonName: 'kube-apiserver', usage: 'server', hosts: [...new Set(hosts)] },
    { name: 'admin', commonName: 'kubernetes-admin', organizations: ['system:masters'], usage: 'client' },
    {
      name: 'apiserver-kubelet-client',
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usage: 'client',
    },
    ...nodeNames(config).map(
      (name): CertificateRequest => ({
        name: `kubelet-${name}`,
        commonName: `system:node:${name}`,
        organizations: ['system:nodes'],
        usage: 'both',
        hosts: [name, config.nodeIP, '127.0.0.1'],
      }),
    ),
  ];
}
