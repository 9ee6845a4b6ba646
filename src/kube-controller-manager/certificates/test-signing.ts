// The API server and the controllers of certificate requests, for the tests beside this file.

// The certificate controllers over the real API server, in virtual time.

import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach } from 'vitest';
import type { CertificateSigningRequest } from '../../api/api.ts';
import { type Client, createClient, type RunningComponent } from '../../client/client.ts';
import { certificateSigner } from '../../cluster/certificates/certificate-signer.ts';
import { type KeyPair, makeAuthority } from '../../cluster/certificates/certificates.ts';
import { certificateRequest, type RequestOptions } from '../../cluster/certificates/test-certificate-request.ts';
import {
  type ApiServer,
  type Attributes,
  createApiServer,
  type UserInfo,
} from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { startKubeControllerManager } from '../kube-controller-manager.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
const admin = { name: 'admin', groups: ['system:masters'] };

/** They run every few seconds: hours of virtual time would take long. */
const disabled = ['nodelifecycle', 'podgc', 'garbagecollector', 'resourcequota', 'cronjob', 'disruption'];

export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const kubeletSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const servingSigner = 'kubernetes.io/kubelet-serving';
export const nodeSubject = [{ O: ['system:nodes'] }, { CN: ['system:node:a'] }];
export const clientUsages = ['digital signature', 'key encipherment', 'client auth'];
export const servingUsages = ['digital signature', 'key encipherment', 'server auth'];

export interface Asked extends Partial<RequestOptions> {
  readonly signer?: string;
  readonly usages?: string[];
  readonly expirationSeconds?: number;
  readonly by?: UserInfo;
}

/** A cluster with the controllers of certificate requests, for each test of a file. */
export function signingCluster() {
  let clock: VirtualClock;
  let api: ApiServer;
  let client: Client;
  let manager: RunningComponent;
  let start: () => Promise<void>;
  let ca: KeyPair;
  /** Users who get a client certificate automatically, by subresource. */
  let granted: Record<string, string[]>;
  const guardedRights = ['nodeclient', 'selfnodeclient', 'selfnodeserver', 'nodeproxyclient'];

  beforeEach(async () => {
    clock = new VirtualClock();
    granted = {};
    const authorize = ({ user, subresource }: Attributes) => {
      const isOpen = !guardedRights.includes(subresource) || granted[subresource]?.includes(user.name);
      return { decision: isOpen ? ('allow' as const) : ('no-opinion' as const) };
    };
    const random = seededRandom(1);
    const logger = silentLogger;
    api = await createApiServer({
      store: createMemoryStore({ clock }),
      clock,
      random,
      logger,
      authorizers: [{ name: 'test', authorize }],
    });
    client = createClient(api.transport(admin));
    ca = await makeAuthority(clock.now());
    start = async () => {
      const context = { client, clock, random, logger, metrics: new Metrics(), fatal: () => {} };
      manager = await startKubeControllerManager(context, {
        certificateSigner: certificateSigner(() => ca),
        serverNames: ['server-1'],
        disabled,
      });
    };
    await start();
  });
  afterEach(async () => {
    await manager.stop();
    await api.stop();
  });

  /** Without the controllers, which renew their Lease every two seconds. */
  async function skipAhead(ms: number): Promise<void> {
    await manager.stop();
    await clock.advance(ms);
    await start();
    await clock.settle();
  }

  let count = 0;
  async function ask({
    signer = clientSigner,
    usages = clientUsages,
    expirationSeconds,
    by = admin,
    ...request
  }: Asked = {}) {
    const pem = await certificateRequest({ subject: [{ CN: ['jane'] }], ...request });
    const name = `r${count++}`;
    const spec = { request: btoa(pem), signerName: signer, usages, ...(expirationSeconds && { expirationSeconds }) };
    await createClient(api.transport(by)).create('certificatesigningrequests', { metadata: { name }, spec } as never);
    return name;
  }

  async function decide(name: string, type = 'Approved') {
    const csr = await client.get('certificatesigningrequests', { name });
    const conditions = [...(csr.status?.conditions ?? []), { type, status: 'True', reason: 'Test', message: 'test' }];
    await client.update('certificatesigningrequests', { ...csr, status: { conditions } }, { subresource: 'approval' });
  }

  const read = (name: string): Promise<CertificateSigningRequest | undefined> =>
    client.get('certificatesigningrequests', { name }).catch(() => undefined);

  /** Signing uses system threads, which the virtual clock does not await. */
  async function settled(name: string, done: (csr: CertificateSigningRequest) => boolean) {
    const lastMs = performance.now() + 10_000;
    for (let i = 0; performance.now() < lastMs; i++) {
      const csr = await read(name);
      if (csr && done(csr)) return csr;
      await clock.advance(i < 200 ? 1 : 0);
      await new Promise((resolve) => setTimeout(resolve, i < 200 ? 0 : 5));
    }
    throw new Error(`${name}: ${JSON.stringify((await read(name))?.status)}`);
  }
  const signed = async (name: string) => {
    const { status } = await settled(name, (csr) => !!csr.status?.certificate);
    return new X509Certificate(atob(status.certificate!));
  };
  const failed = async (name: string) => {
    const isFailed = (csr: CertificateSigningRequest) =>
      csr.status?.conditions?.some(({ type }) => type === 'Failed') ?? false;
    return (await settled(name, isFailed)).status.conditions!.find(({ type }) => type === 'Failed');
  };
  const quiet = async (name: string) => {
    await clock.advance(5_000);
    return (await read(name))?.status ?? {};
  };
  return {
    get client() {
      return client;
    },
    get clock() {
      return clock;
    },
    get ca() {
      return ca;
    },
    set ca(next: KeyPair) {
      ca = next;
    },
    get granted() {
      return granted;
    },
    ...{ ask, decide, read, signed, failed, quiet, skipAhead },
  };
}
