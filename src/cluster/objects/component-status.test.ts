import { expect, test } from 'vitest';
import { type Lease, notFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { ComponentStatuses } from './component-status.ts';

function setUp({ lease, storeProblem }: { lease?: Partial<NonNullable<Lease['spec']>>; storeProblem?: string } = {}) {
  const clock = new VirtualClock();
  const client = {
    async get(_resource: string, { name }: { name: string }) {
      if (!lease) throw notFound({ group: 'coordination.k8s.io', resource: 'leases' }, name);
      return { spec: { holderIdentity: 'one', leaseDurationSeconds: 15, ...lease } };
    },
  } as unknown as Client;
  const store = { health: async () => (storeProblem ? { message: storeProblem, canBeRead: true } : undefined) };
  return { clock, statuses: new ComponentStatuses({ client, store, clock }) };
}

const texts = async (statuses: ComponentStatuses, name = '') =>
  (await statuses.read(name)).map((status) => {
    const { metadata, conditions } = status as never as {
      metadata: object;
      conditions: { status: string; message: string }[];
    };
    return [metadata, conditions.map(({ status, message }) => [status, message])];
  });

test('components of this process report their own health, until they withdraw it', async () => {
  const { statuses } = setUp();
  const withdraw = statuses.report('kube-scheduler', () => undefined);
  statuses.report('kube-controller-manager', () => 'starts again');
  statuses.report('cloud-controller-manager', () => 'not listed');
  expect(await texts(statuses)).toEqual([
    [{ name: 'controller-manager' }, [['False', 'starts again']]],
    [{ name: 'scheduler' }, [['True', 'ok']]],
    [{ name: 'etcd-0' }, [['True', 'ok']]],
  ]);
  withdraw();
  expect(await texts(statuses, 'scheduler')).toEqual([
    [{ name: 'scheduler' }, [['False', 'no kube-scheduler leads: Lease kube-system/kube-scheduler has no holder']]],
  ]);
});

test('components elsewhere are healthy while the leader renews its Lease', async () => {
  const clock = new VirtualClock();
  const renewTime = new Date(clock.now()).toISOString();
  const { statuses, clock: own } = setUp({ lease: { renewTime } });
  expect(await texts(statuses, 'scheduler')).toEqual([[{ name: 'scheduler' }, [['True', 'ok']]]]);
  await own.advance(15_001);
  const [[, [[status, message]]]] = (await texts(statuses, 'scheduler')) as [[object, [[string, string]]]];
  expect([status, message]).toEqual([
    'False',
    `no kube-scheduler leads: one last renewed Lease kube-system/kube-scheduler at ${renewTime}`,
  ]);
});

test('a store with a problem, and an unknown name', async () => {
  const { statuses } = setUp({ storeProblem: 'the disk is full' });
  expect(await texts(statuses, 'etcd-0')).toEqual([[{ name: 'etcd-0' }, [['False', 'the disk is full']]]]);
  await expect(statuses.read('etcd-1')).rejects.toThrow('componentstatus "etcd-1" not found');
});
