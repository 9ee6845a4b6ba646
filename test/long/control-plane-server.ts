// One server of a control plane as a process: an API server over etcd, and a led component that acts. Its clock can be
// set by a message. Usage: node control-plane-server.ts OPTIONS (JSON)

import { createClient, fencedClient, type LeaderElection, runLeaderElection } from '../../src/client/client.ts';
import { startTestServer } from '../../src/kube-apiserver/testing/test-server.ts';
import { silentLogger } from '../../src/machinery/logger.ts';
import { Metrics } from '../../src/machinery/metrics.ts';
import { seededRandom } from '../../src/machinery/random.ts';
import { systemClock as clock } from '../../src/machinery/time/clock.ts';
import { type EtcdTls, openStore } from '../../src/store/store.ts';

export interface ServerOptions {
  readonly name: string;
  readonly seed: number;
  readonly endpoints: readonly string[];
  readonly tls: EtcdTls;
}

export const actPrefix = 'act-';
const times = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 300 };
const actEveryMs = 20;

if (import.meta.main) await main(JSON.parse(process.argv[2]));

async function main({ name, seed, endpoints, tls }: ServerOptions): Promise<void> {
  setClockByMessages();
  const store = await openStore({ kind: 'etcd', clock, endpoints, tls });
  const random = seededRandom(seed);
  const api = await startTestServer({ store, random, namespaces: ['default', 'kube-system'] });
  const { port } = await api.listen({ port: 0, host: '127.0.0.1' });
  const client = createClient(api.transport({ name: 'actor', groups: ['system:masters'] }));
  for (let life = 0; ; life++) {
    const lost = Promise.withResolvers<void>();
    const context = {
      client,
      clock,
      random,
      logger: silentLogger,
      metrics: new Metrics(),
      fatal: () => lost.resolve(),
    };
    const election: LeaderElection = runLeaderElection(context, {
      ...times,
      ...{ name: 'actor', identity: `${name}-${process.pid}-${life}` },
      onStartedLeading: () =>
        act(
          fencedClient(client, () => election.holds),
          election,
        ),
      onStoppedLeading: () => lost.resolve(),
    });
    if (life === 0) process.send?.({ port });
    await lost.promise;
    await election.stop();
  }
}

/** Each act has the number of the lead: the acts of one lead come before those of the next. */
async function act(client: ReturnType<typeof createClient>, election: LeaderElection): Promise<void> {
  const { spec } = await client.get('leases', { namespace: 'kube-system', name: 'actor' });
  if (spec.holderIdentity !== election.leader) return;
  const data = { lead: String(spec.leaseTransitions), by: election.leader };
  void (async () => {
    while (election.leading) {
      const metadata = { namespace: 'default', generateName: actPrefix };
      await client.create('configmaps', { metadata, data }).catch(() => {});
      await clock.sleep(actEveryMs);
    }
  })();
}

/** As if the machine's clock was set: also for libraries. */
function setClockByMessages(): void {
  const RealDate = Date;
  let offsetMs = 0;
  process.on('message', ({ jumpMs }: { jumpMs: number }) => {
    offsetMs += jumpMs;
  });
  const now = () => RealDate.now() + offsetMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, self) => Reflect.construct(target, args.length > 0 ? args : [now()], self),
    get: (target, property, self) => (property === 'now' ? now : Reflect.get(target, property, self)),
  });
}
