import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { DeviceState } from '../device-plugins/device-state.ts';
import type { ClaimInfo } from '../dynamic-resources/claim-state.ts';
import { RpcClient } from '../plugins/rpc.ts';
import type { RpcServer } from '../plugins/rpc-server.ts';
import { podResourcesService, servePodResources } from './pod-resources.ts';

const resource = 'vendor.com/device';
const devices = new DeviceState();
devices.setDevices(
  resource,
  ['a', 'b'].map((ID) => ({ ID, health: 'Healthy', topology: ID === 'a' ? { nodes: [{ ID: 1 }] } : null })),
);
const answer = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] };
devices.add({ podUid: 'u', container: 'c', resource, ids: ['a'], answer });

const claim: ClaimInfo = {
  ...{ uid: 'x', name: 'claim', namespace: 'default', podUids: new Set(['u']), isPrepared: true },
  drivers: new Map([
    [
      'test.dra',
      [{ PoolName: 'pool', DeviceName: 'gpu', ShareID: 'share', RequestNames: [], CDIDeviceIDs: ['test.dra/x=gpu'] }],
    ],
  ]),
};

const pod = {
  metadata: { name: 'u', namespace: 'default', uid: 'u' },
  spec: {
    containers: [{ name: 'c' }],
    initContainers: [{ name: 'init' }, { name: 'sidecar', restartPolicy: 'Always' }],
  },
} as unknown as Pod;

let directory: string;
let server: RpcServer;
let client: RpcClient;
const limits = { timeoutMs: 5000 };
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-pod-resources-'));
  server = await servePodResources(directory, {
    ...{ devices, activePods: () => [pod] },
    resources: {
      ownCpus: (_uid, name) => new Set(name === 'c' ? [3, 2] : []),
      ownMemory: (_uid, name) => (name === 'c' ? [{ numaAffinity: [1], type: 'memory', size: 2 ** 30 }] : []),
      allocatable: { cpus: new Set([3, 1, 2]), memory: [{ numaAffinity: [0], type: 'hugepages-2Mi', size: 2 ** 21 }] },
    },
    claimsOf: (_pod, { name }) => (name === 'c' ? [claim] : []),
  });
  client = new RpcClient(path.join(directory, 'pod-resources/kubelet.sock'), podResourcesService, systemClock);
});
afterEach(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

const device = (id: string) => ({
  ...{ resourceName: resource, deviceIds: [id] },
  topology: id === 'a' ? { nodes: [{ ID: 1 }] } : null,
});
const nothing = { devices: [], cpuIds: [], memory: [], dynamicResources: [] };
const own = {
  ...{ name: 'u', namespace: 'default' },
  containers: [
    { name: 'sidecar', ...nothing },
    {
      ...{ name: 'c', devices: [device('a')], cpuIds: [2, 3] },
      memory: [{ memoryType: 'memory', size: 2 ** 30, topology: { nodes: [{ ID: 1 }] } }],
      dynamicResources: [
        {
          ...{ claimName: 'claim', claimNamespace: 'default' },
          claimResources: [
            {
              ...{ cdiDevices: [{ name: 'test.dra/x=gpu' }], driverName: 'test.dra' },
              ...{ poolName: 'pool', deviceName: 'gpu', shareId: 'share' },
            },
          ],
        },
      ],
    },
  ],
};

test('containers have their devices, CPUs, memory and claims', async () => {
  expect(await client.call('List', {}, limits)).toEqual({ podResources: [own] });
  expect(await client.call('Get', { podName: 'u', podNamespace: 'default' }, limits)).toEqual({ podResources: own });
  await expect(client.call('Get', { podName: 'x', podNamespace: 'y' }, limits)).rejects.toThrow(
    'pod x in namespace y not found',
  );
});

test('the node has its allocatable devices, CPUs and memory', async () => {
  const found = await client.call('GetAllocatableResources', {}, limits);
  expect(found).toEqual({
    ...{ devices: [device('a'), device('b')], cpuIds: [1, 2, 3] },
    memory: [{ memoryType: 'hugepages-2Mi', size: 2 ** 21, topology: { nodes: [{ ID: 0 }] } }],
  });
});
