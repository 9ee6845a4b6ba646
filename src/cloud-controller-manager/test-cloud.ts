// For tests: the controllers of a cloud over the real API server, in virtual time.

import type { Node, Service } from '../api/api.ts';
import { type Client, createClient, InformerFactory, runController } from '../client/client.ts';
import { createApiServer } from '../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { createMemoryStore } from '../store/store.ts';
import { controllersOf } from './cloud-controller-manager.ts';
import type { CloudProvider } from './provider.ts';

export interface TestCloud {
  readonly client: Client;
  readonly clock: VirtualClock;
  pass(ms?: number): Promise<void>;
  node(name: string, more?: { metadata?: object; spec?: object; status?: object }): Promise<void>;
  ready(name: string, status?: string): Promise<void>;
  getNode(name: string): Promise<Node>;
  getService(name: string): Promise<Service>;
  names(): Promise<string[]>;
  /** Reasons and messages about an object. */
  events(name: string): Promise<string[]>;
  stop(): Promise<void>;
}

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

export async function startTestCloud(provider: CloudProvider, clock = new VirtualClock()): Promise<TestCloud> {
  const random = seededRandom(7);
  const api = await createApiServer({ store: createMemoryStore({ clock }), clock, random, logger: silentLogger });
  const client = createClient(api.transport(admin));
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random, logger: silentLogger, metrics: new Metrics(), fatal };
  const informers = new InformerFactory(context);
  const running = controllersOf(provider, ['10.244.0.0/16']).map((each) => runController(context, informers, each));
  for (const name of ['default', 'kube-system']) await client.create('namespaces', { metadata: { name } });
  const pass = async (ms = 100) => {
    await clock.advance(ms);
    await clock.settle();
  };
  const patchStatus = (name: string, status: object) =>
    client.patch('nodes', { name }, { type: 'strategic', body: { status } }, { subresource: 'status' });
  await pass();
  return {
    ...{ client, clock, pass },
    async node(name, { metadata, spec, status } = {}) {
      await client.create('nodes', { metadata: { name, ...metadata }, spec, status } as never);
      await pass();
    },
    async ready(name, status = 'True') {
      await patchStatus(name, { conditions: [{ type: 'Ready', status }] });
      await pass();
    },
    getNode: (name) => client.get('nodes', { name }),
    getService: (name) => client.get('services', { namespace: 'default', name }),
    names: async () => (await client.list('nodes')).items.map(({ metadata }) => metadata.name),
    async events(name) {
      await pass();
      const { items } = await client.list('events');
      return items
        .filter(({ involvedObject }) => involvedObject?.name === name)
        .map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
    },
    async stop() {
      const stopped = running.map((controller) => controller.stop());
      provider.stop?.();
      await informers.stop();
      await Promise.all(stopped);
      await api.stop();
    },
  };
}
