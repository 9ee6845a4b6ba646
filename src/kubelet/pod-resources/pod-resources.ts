// The pod resources API v1: monitoring agents ask which containers have which devices.
// https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/#monitoring-device-plugin-resources

import path from 'node:path';
import { type Container, isSidecar, type Pod } from '../../api/api.ts';
import type { DeviceState } from '../device-plugins/device-state.ts';
import type { ClaimInfo } from '../dynamic-resources/claim-state.ts';
import type { Message, Service } from '../plugins/rpc.ts';
import { type RpcServer, serveRpc } from '../plugins/rpc-server.ts';
import { sorted } from '../resource-managers/cpu-set.ts';
import type { ResourceManagers } from '../resource-managers/resource-managers.ts';
import type { MemoryBlock } from '../resource-managers/static-memory.ts';

const podResourcesProto = `
syntax = "proto3";
package v1;

service PodResourcesLister {
  rpc List(ListPodResourcesRequest) returns (ListPodResourcesResponse);
  rpc GetAllocatableResources(AllocatableResourcesRequest) returns (AllocatableResourcesResponse);
  rpc Get(GetPodResourcesRequest) returns (GetPodResourcesResponse);
}

message AllocatableResourcesRequest {}
message AllocatableResourcesResponse {
  repeated ContainerDevices devices = 1;
  repeated int64 cpu_ids = 2;
  repeated ContainerMemory memory = 3;
}
message ListPodResourcesRequest {}
message ListPodResourcesResponse { repeated PodResources pod_resources = 1; }
message PodResources { string name = 1; string namespace = 2; repeated ContainerResources containers = 3; }
message ContainerResources {
  string name = 1;
  repeated ContainerDevices devices = 2;
  repeated int64 cpu_ids = 3;
  repeated ContainerMemory memory = 4;
  repeated DynamicResource dynamic_resources = 5;
}
message DynamicResource {
  string claim_name = 2;
  string claim_namespace = 3;
  repeated ClaimResource claim_resources = 4;
}
message ClaimResource {
  repeated CDIDevice cdi_devices = 1;
  string driver_name = 2;
  string pool_name = 3;
  string device_name = 4;
  optional string share_id = 5;
}
message CDIDevice { string name = 1; }
message ContainerMemory { string memory_type = 1; uint64 size = 2; TopologyInfo topology = 3; }
message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; TopologyInfo topology = 3; }
message TopologyInfo { repeated NUMANode nodes = 1; }
message NUMANode { int64 ID = 1; }
message GetPodResourcesRequest { string pod_name = 1; string pod_namespace = 2; }
message GetPodResourcesResponse { PodResources pod_resources = 1; }
`;

export const podResourcesService: Service = { name: 'v1.PodResourcesLister', proto: podResourcesProto };

/** The devices and claims of containers. */
interface PodResourcesSources {
  readonly activePods: () => readonly Pod[];
  readonly devices: DeviceState;
  readonly resources: Pick<ResourceManagers, 'ownCpus' | 'ownMemory' | 'allocatable'>;
  /** Prepared claims of a container. */
  readonly claimsOf: (pod: Pod, container: Container) => readonly ClaimInfo[];
}

/** Serves it at the socket below the kubelet's directory. */
export function servePodResources(rootDirectory: string, sources: PodResourcesSources): Promise<RpcServer> {
  const { activePods, devices: state, resources } = sources;
  return serveRpc(path.join(rootDirectory, 'pod-resources', 'kubelet.sock'), podResourcesService, {
    List: () => ({ podResources: activePods().map((pod) => resourcesOf(pod, sources)) }),
    GetAllocatableResources: () => ({
      devices: state.resources.flatMap((resource) =>
        state.allocatable(resource).map(({ ID }) => deviceMessage(resource, ID, state)),
      ),
      cpuIds: sorted(resources.allocatable.cpus),
      memory: resources.allocatable.memory.map(memoryMessage),
    }),
    Get({ podName, podNamespace }) {
      const pod = activePods().find(({ metadata }) => metadata.name === podName && metadata.namespace === podNamespace);
      if (!pod) throw new Error(`pod ${podName} in namespace ${podNamespace} not found`);
      return { podResources: resourcesOf(pod, sources) };
    },
  });
}

function resourcesOf(pod: Pod, { devices, resources, claimsOf }: PodResourcesSources): Message {
  const { name, namespace, uid } = pod.metadata;
  const containers = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  return {
    ...{ name, namespace },
    containers: containers.map((container) => ({
      name: container.name,
      devices: devices
        .of(uid, container.name)
        .flatMap(({ resource, ids }) => ids.map((id) => deviceMessage(resource, id, devices))),
      cpuIds: sorted(resources.ownCpus(uid, container.name)),
      memory: resources.ownMemory(uid, container.name).map(memoryMessage),
      dynamicResources: claimsOf(pod, container).map(claimMessage),
    })),
  };
}

function deviceMessage(resourceName: string, id: string, state: DeviceState): Message {
  const topology = state.device(resourceName, id)?.topology;
  return { resourceName, deviceIds: [id], ...(topology && { topology }) };
}

const memoryMessage = ({ type, size, numaAffinity }: MemoryBlock): Message => ({
  ...{ memoryType: type, size },
  topology: { nodes: numaAffinity.map((ID) => ({ ID })) },
});

const claimMessage = ({ name, namespace, drivers }: ClaimInfo): Message => ({
  claimName: name,
  claimNamespace: namespace,
  claimResources: [...drivers].flatMap(([driverName, devices]) =>
    devices.map(({ PoolName, DeviceName, ShareID, CDIDeviceIDs }) => ({
      cdiDevices: CDIDeviceIDs.map((id) => ({ name: id })),
      ...{ driverName, poolName: PoolName, deviceName: DeviceName },
      ...(ShareID && { shareId: ShareID }),
    })),
  ),
});
