// The node service of one CSI driver.

import type { Clock } from '../../machinery/time/clock.ts';
import { forPlugin, onNode } from '../plugins/kubelet-directory.ts';
import { type Message, RpcClient, type RpcCode, RpcError } from '../plugins/rpc.ts';
import {
  type CapabilitiesAnswer,
  type NodeCapability,
  type NodeInfoAnswer,
  nodeService,
  type StatsAnswer,
} from './csi-proto.ts';

/** For all calls of one operation together. */
const operationTimeoutMs = 120_000;

export interface Capability {
  readonly isBlock: boolean;
  readonly fsType: string;
  readonly mountOptions: readonly string[];
  /** Of the volume's access modes the first one, such as ReadWriteOnce. */
  readonly accessMode: string;
  /** The driver gives the files to this group. */
  readonly group?: number;
}

type Texts = Readonly<Record<string, string>>;

interface StageRequest {
  readonly volumeId: string;
  readonly stagingPath: string;
  readonly publishContext: Texts;
  readonly volumeContext: Texts;
  readonly secrets: Texts;
  readonly capability: Capability;
}

interface PublishRequest extends Omit<StageRequest, 'stagingPath'> {
  /** Empty: the driver does not stage. */
  readonly stagingPath: string;
  readonly targetPath: string;
  readonly readOnly: boolean;
}

interface ExpandRequest {
  readonly volumeId: string;
  readonly volumePath: string;
  readonly stagingPath: string;
  readonly requiredBytes: number;
  readonly capability: Capability;
  readonly secrets: Texts;
}

/** Counts the calls of a driver's methods. */
export type ObserveCall = (method: string, code: RpcCode, seconds: number) => void;

interface OperationTools {
  readonly clock: Clock;
  readonly rootDirectory: string;
  readonly signal: AbortSignal;
  readonly observe: ObserveCall;
}

/** One operation on one volume. Paths are those of the node. Each method rejects with RpcError. */
export class DriverOperation {
  readonly #client: RpcClient;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #signal: AbortSignal;
  readonly #path: (file: string) => string;
  readonly #observe: ObserveCall;
  #capabilities: Promise<ReadonlySet<unknown>> | undefined;

  /** `endpoint` as the driver names it. `signal` aborts when the kubelet stops. */
  constructor(endpoint: string, { clock, rootDirectory, signal, observe }: OperationTools) {
    this.#client = new RpcClient(onNode(rootDirectory, endpoint), nodeService, clock);
    this.#clock = clock;
    this.#deadlineMs = clock.monotonic() + operationTimeoutMs;
    this.#signal = signal;
    this.#observe = observe;
    this.#path = (file) => (file ? forPlugin(rootDirectory, endpoint, file) : '');
  }

  info(): Promise<NodeInfoAnswer> {
    return this.#call('NodeGetInfo', {});
  }

  async has(capability: NodeCapability): Promise<boolean> {
    this.#capabilities ??= this.#call<CapabilitiesAnswer>('NodeGetCapabilities', {}).then(
      ({ capabilities }) => new Set(capabilities.map(({ rpc }) => rpc?.type)),
    );
    return (await this.#capabilities).has(capability);
  }

  async stage({ volumeId, stagingPath, publishContext, volumeContext, secrets, capability }: StageRequest) {
    const volumeCapability = await this.#capabilityOf(capability);
    const stagingTargetPath = this.#path(stagingPath);
    const request = { volumeId, publishContext, stagingTargetPath, volumeCapability, secrets, volumeContext };
    await this.#call('NodeStageVolume', request);
  }

  async unstage(volumeId: string, stagingPath: string): Promise<void> {
    await this.#call('NodeUnstageVolume', { volumeId, stagingTargetPath: this.#path(stagingPath) });
  }

  async publish(request: PublishRequest): Promise<void> {
    const { volumeId, publishContext, volumeContext, secrets, readOnly: readonly } = request;
    const volumeCapability = await this.#capabilityOf(request.capability);
    await this.#call('NodePublishVolume', {
      ...{ volumeId, publishContext, volumeCapability, readonly, secrets, volumeContext },
      ...{ stagingTargetPath: this.#path(request.stagingPath), targetPath: this.#path(request.targetPath) },
    });
  }

  async unpublish(volumeId: string, targetPath: string): Promise<void> {
    await this.#call('NodeUnpublishVolume', { volumeId, targetPath: this.#path(targetPath) });
  }

  stats(volumeId: string, volumePath: string): Promise<StatsAnswer> {
    return this.#call('NodeGetVolumeStats', { volumeId, volumePath: this.#path(volumePath) });
  }

  async expand({ volumeId, volumePath, stagingPath, requiredBytes, capability, secrets }: ExpandRequest) {
    const volumeCapability = await this.#capabilityOf(capability);
    await this.#call('NodeExpandVolume', {
      ...{ volumeId, capacityRange: { requiredBytes }, volumeCapability, secrets },
      ...{ volumePath: this.#path(volumePath), stagingTargetPath: this.#path(stagingPath) },
    });
  }

  async #capabilityOf({ isBlock, fsType, mountOptions, accessMode, group }: Capability): Promise<Message> {
    const mode = modeOf(accessMode, await this.has('SINGLE_NODE_MULTI_WRITER'));
    const mount = { fsType, mountFlags: mountOptions, ...(group !== undefined && { volumeMountGroup: String(group) }) };
    return { accessMode: { mode }, ...(isBlock ? { block: {} } : { mount }) };
  }

  async #call<T>(name: string, message: Message): Promise<T> {
    const timeoutMs = this.#deadlineMs - this.#clock.monotonic();
    if (timeoutMs <= 0) throw new RpcError('DeadlineExceeded', 'context deadline exceeded');
    const startedMs = this.#clock.monotonic();
    let code: RpcCode = 'OK';
    try {
      return await this.#client.call<T>(name, message, { timeoutMs, signal: this.#signal });
    } catch (error) {
      code = error instanceof RpcError ? error.code : 'Unknown';
      throw error;
    } finally {
      this.#observe(name, code, (this.#clock.monotonic() - startedMs) / 1000);
    }
  }
}

/** https://github.com/container-storage-interface/spec/blob/master/spec.md#nodegetcapabilities */
function modeOf(accessMode: string, knowsSingleNodeModes: boolean): string {
  switch (accessMode) {
    case 'ReadWriteOnce':
      return knowsSingleNodeModes ? 'SINGLE_NODE_MULTI_WRITER' : 'SINGLE_NODE_WRITER';
    case 'ReadWriteOncePod':
      return knowsSingleNodeModes ? 'SINGLE_NODE_SINGLE_WRITER' : 'SINGLE_NODE_WRITER';
    case 'ReadOnlyMany':
      return 'MULTI_NODE_READER_ONLY';
    case 'ReadWriteMany':
      return 'MULTI_NODE_MULTI_WRITER';
    default:
      return 'UNKNOWN';
  }
}
