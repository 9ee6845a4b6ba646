// For tests: a driver of dynamic resources on a real socket. Each claim gets one device, which is named as the claim.

import { rmSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { registrationService } from '../plugins/registration-proto.ts';
import type { Message } from '../plugins/rpc.ts';
import { bind, type Fault, serve } from '../plugins/test-service.ts';
import { draServices, healthService } from './dra-proto.ts';

export interface TestDraDriver {
  /** As "prepare a b": the method with the names of the claims. */
  readonly calls: string[];
  /** By the name of the method. */
  readonly faults: Map<string, Fault>;
  /** The kubelet's answers to the registration. */
  readonly notified: Message[];
  /** Reports the health of all devices, by name. */
  report(devices: Readonly<Record<string, string>>, more?: Message): void;
  stop(): void;
}

export interface TestDraDriverOptions {
  readonly name?: string;
  readonly socket: string;
  readonly services?: readonly string[];
  /** The socket of registration; left out: the test registers the driver. */
  readonly registration?: string;
}

const verbs: Record<string, string> = { NodePrepareResources: 'prepare', NodeUnprepareResources: 'unprepare' };

export async function startTestDraDriver(options: TestDraDriverOptions): Promise<TestDraDriver> {
  const { name = 'test.dra', socket, services = ['v1.DRAPlugin'], registration } = options;
  const streams = new Set<grpc.ServerWritableStream<any, any>>();
  let reported: Message | undefined;
  const driver: TestDraDriver = {
    calls: [],
    faults: new Map(),
    notified: [],
    report(devices, more) {
      const all = Object.entries(devices).map(([deviceName, health]) => ({
        ...{ device: { poolName: 'pool', deviceName }, health, ...more },
      }));
      reported = { devices: all };
      for (const stream of streams) stream.write(reported);
    },
    stop() {
      server.forceShutdown();
      registrar.forceShutdown();
      for (const file of [socket, registration]) if (file) rmSync(file, { force: true });
    },
  };
  const server = new grpc.Server();
  for (const [announced, service] of draServices)
    if (services.includes(announced))
      serve(server, service, (method, { claims }) => {
        driver.calls.push([verbs[method], ...claims.map((claim: { name: string }) => claim.name)].join(' '));
        const fault = driver.faults.get(method);
        if (fault) return fault;
        const answers = claims.map((claim: { uid: string; name: string }) => [claim.uid, answerFor(name, claim.name)]);
        return { answer: { claims: Object.fromEntries(answers) } };
      });
  serve(server, healthService, () => 'hang', {
    NodeWatchResources(stream) {
      streams.add(stream);
      stream.on('close', () => streams.delete(stream));
      if (reported) stream.write(reported);
    },
  });
  await bind(server, socket);
  const registrar = new grpc.Server();
  if (registration) {
    serve(registrar, registrationService, (method, request) => {
      if (method === 'NotifyRegistrationStatus') driver.notified.push(request);
      const info = { type: 'DRAPlugin', name, endpoint: socket, supportedVersions: services };
      return { answer: method === 'GetInfo' ? info : {} };
    });
    await bind(registrar, registration);
  }
  return driver;
}

const answerFor = (driver: string, claim: string) => ({
  devices: [
    {
      ...{ poolName: 'pool', deviceName: claim, requestNames: ['req'] },
      cdiDeviceIds: [`${driver}/class=${claim}`],
    },
  ],
});
