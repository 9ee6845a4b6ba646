// For tests: a CSI driver on real sockets. Its mounts are directories with the file `volume`, or real mounts of
// directories; a test can make each call hang, fail, or answer anything.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { registrationService } from '../plugins/registration-proto.ts';
import type { Message } from '../plugins/rpc.ts';
import { bind, type Fault, serve } from '../plugins/test-service.ts';
import { nodeService } from './csi-proto.ts';

export interface TestDriver {
  /** Calls of the node service so far, with their requests. */
  readonly calls: { readonly name: string; readonly request: any }[];
  /** By the name of the method. */
  readonly faults: Map<string, Fault>;
  readonly capabilities: Set<string>;
  info: Message;
  /** The kubelet's answers to the registration. */
  readonly notified: Message[];
  /** Names of the methods that were called, without NodeGetCapabilities. */
  names(): string[];
  /** Closes the sockets and removes their files. */
  stop(): Promise<void>;
}

export interface TestDriverOptions {
  readonly name?: string;
  /** The node service's socket. */
  readonly socket: string;
  /** The socket of registration; left out: the test registers the driver. */
  readonly registration?: string;
  /** The name of its socket. */
  readonly endpoint?: string;
  readonly type?: string;
  readonly versions?: readonly string[];
  /** Has a directory for each volume, which the driver mounts. */
  readonly backing?: string;
}

export async function startTestDriver(options: TestDriverOptions): Promise<TestDriver> {
  const { name = 'test.csi', socket, registration, backing } = options;
  const driver: TestDriver = {
    calls: [],
    faults: new Map(),
    capabilities: new Set(['STAGE_UNSTAGE_VOLUME']),
    info: { nodeId: 'node-id' },
    notified: [],
    names: () => driver.calls.map((call) => call.name).filter((each) => each !== 'NodeGetCapabilities'),
    stop: async () => {},
  };
  const mounted = (file: string, volumeId: string) => {
    mkdirSync(file, { recursive: true });
    if (!backing) writeFileSync(path.join(file, 'volume'), name);
    else {
      mkdirSync(path.join(backing, volumeId), { recursive: true });
      // Publishing a published volume changes nothing.
      if (spawnSync('mountpoint', ['-q', file]).status !== 0)
        spawnSync('mount', ['--bind', path.join(backing, volumeId), file]);
    }
    return {};
  };
  const unmounted = (file: string) => {
    if (backing) spawnSync('umount', [file]);
    // Files behind a mount must stay.
    if (!backing) rmSync(file, { recursive: true, force: true });
    else if (existsSync(file)) rmdirSync(file);
    return {};
  };
  const answers: Record<string, (request: any) => Message> = {
    NodeGetInfo: () => driver.info,
    NodeGetCapabilities: () => ({ capabilities: [...driver.capabilities].map((type) => ({ rpc: { type } })) }),
    NodeStageVolume: () => ({}),
    NodeUnstageVolume: () => ({}),
    NodePublishVolume: ({ targetPath, volumeId }) => mounted(targetPath, volumeId),
    NodeUnpublishVolume: ({ targetPath }) => unmounted(targetPath),
    NodeExpandVolume: ({ capacityRange }) => ({ capacityBytes: capacityRange.requiredBytes }),
    NodeGetVolumeStats: () => ({ usage: [{ available: 60, total: 100, used: 40, unit: 'BYTES' }] }),
  };
  const node = new grpc.Server();
  serve(node, nodeService, (method, request) => {
    driver.calls.push({ name: method, request });
    return driver.faults.get(method) ?? { answer: answers[method](request) };
  });
  await bind(node, socket);
  const registrar = new grpc.Server();
  if (registration) {
    const { type = 'CSIPlugin', versions = ['1.0.0'], endpoint = socket } = options;
    serve(registrar, registrationService, (method, request) => {
      if (method === 'NotifyRegistrationStatus') driver.notified.push(request);
      return { answer: method === 'GetInfo' ? { type, name, endpoint, supportedVersions: versions } : {} };
    });
    await bind(registrar, registration);
  }
  driver.stop = async () => {
    node.forceShutdown();
    registrar.forceShutdown();
    for (const file of [socket, registration]) if (file) rmSync(file, { force: true });
  };
  return driver;
}
