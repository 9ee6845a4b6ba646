// The services of drivers of dynamic resources: names and numbers as in k8s.io/kubelet/pkg/apis/dra and dra-health.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import type { Service } from '../plugins/rpc.ts';

const messages = (version: string) => `
syntax = "proto3";
package k8s.io.kubelet.pkg.apis.dra.${version};

service DRAPlugin {
  rpc NodePrepareResources(NodePrepareResourcesRequest) returns (NodePrepareResourcesResponse);
  rpc NodeUnprepareResources(NodeUnprepareResourcesRequest) returns (NodeUnprepareResourcesResponse);
}

message NodePrepareResourcesRequest { repeated Claim claims = 1; }
message NodePrepareResourcesResponse { map<string, NodePrepareResourceResponse> claims = 1; }
message NodePrepareResourceResponse { repeated Device devices = 1; string error = 2; }
message Device {
  repeated string request_names = 1;
  string pool_name = 2;
  string device_name = 3;
  repeated string cdi_device_ids = 4;
  ${version === 'v1' ? 'optional string share_id = 5;' : ''}
}
message NodeUnprepareResourcesRequest { repeated Claim claims = 1; }
message NodeUnprepareResourcesResponse { map<string, NodeUnprepareResourceResponse> claims = 1; }
message NodeUnprepareResourceResponse { string error = 1; }
message Claim { string namespace = 1; string uid = 2; string name = 3; }
`;

const serviceOf = (version: string): Service => ({
  name: `k8s.io.kubelet.pkg.apis.dra.${version}.DRAPlugin`,
  proto: messages(version),
});

/** By the name with which drivers announce them. */
export const draServices: ReadonlyMap<string, Service> = new Map([
  ['v1.DRAPlugin', serviceOf('v1')],
  ['v1beta1.DRAPlugin', serviceOf('v1beta1')],
]);

export const healthService: Service = {
  name: 'v1alpha1.DRAResourceHealth',
  proto: `
syntax = "proto3";
package v1alpha1;

service DRAResourceHealth {
  rpc NodeWatchResources(NodeWatchResourcesRequest) returns (stream NodeWatchResourcesResponse);
}

message NodeWatchResourcesRequest {}
enum HealthStatus { UNKNOWN = 0; HEALTHY = 1; UNHEALTHY = 2; }
message DeviceIdentifier { string pool_name = 1; string device_name = 2; }
message DeviceHealth {
  DeviceIdentifier device = 1;
  HealthStatus health = 2;
  int64 last_updated_time = 3;
  int64 health_check_timeout_seconds = 4;
  string message = 5;
}
message NodeWatchResourcesResponse { repeated DeviceHealth devices = 1; }
`,
};

/** A claim as drivers see it. */
export interface DriverClaim {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

export interface PreparedDevice {
  /** Empty: of all requests. */
  readonly requestNames: readonly string[];
  readonly poolName: string;
  readonly deviceName: string;
  readonly cdiDeviceIds: readonly string[];
  readonly shareId?: string;
}

/** The answers, by the uid of the claim. */
export interface PrepareAnswer {
  readonly claims: Readonly<Record<string, { readonly devices: readonly PreparedDevice[]; readonly error: string }>>;
}
export interface UnprepareAnswer {
  readonly claims: Readonly<Record<string, { readonly error: string }>>;
}

export interface HealthAnswer {
  readonly devices: readonly {
    readonly device: { readonly poolName: string; readonly deviceName: string } | null;
    readonly health: 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY' | number;
    readonly healthCheckTimeoutSeconds: number;
    readonly message: string;
  }[];
}
