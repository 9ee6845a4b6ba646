// For tests: a device plugin on a real socket.

import { rmSync } from 'node:fs';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { systemClock } from '../../machinery/time/clock.ts';
import { type Message, RpcClient } from '../plugins/rpc.ts';
import { methodsOf } from '../plugins/rpc-transport.ts';
import { pluginService, registrationService } from './device-plugin-proto.ts';

/** Registers the plugin at `test.sock` of the kubelet's directory of device plugins. */
export async function registerPlugin(directory: string, resourceName: string): Promise<void> {
  const client = new RpcClient(path.join(directory, 'kubelet.sock'), registrationService, systemClock);
  await client.call('Register', { version: 'v1beta1', endpoint: 'test.sock', resourceName }, { timeoutMs: 5000 });
}

export interface TestPlugin {
  readonly calls: { readonly name: string; readonly request: any }[];
  /** Answers by the name of the method; without one, a call hangs. */
  readonly answers: Record<string, (request: any) => Message | grpc.ServiceError | { code: number; details: string }>;
  /** Announces these devices, by id with their health. */
  announce(devices: Readonly<Record<string, string>>): void;
  stop(): void;
}

export async function startTestPlugin(socket: string, options: Message = {}): Promise<TestPlugin> {
  const server = new grpc.Server();
  const streams = new Set<grpc.ServerWritableStream<Message, Message>>();
  let current: Message | undefined;
  const plugin: TestPlugin = {
    calls: [],
    answers: {
      GetDevicePluginOptions: () => options,
      Allocate: ({ containerRequests }) => ({
        containerResponses: containerRequests.map(({ devicesIds }: { devicesIds: string[] }) => ({
          envs: { DEVICES: [...devicesIds].sort().join() },
        })),
      }),
      PreStartContainer: () => ({}),
    },
    announce(devices) {
      current = { devices: Object.entries(devices).map(([ID, health]) => ({ ID, health })) };
      for (const stream of streams) stream.write(current);
    },
    stop() {
      server.forceShutdown();
      rmSync(socket, { force: true });
    },
  };
  const definition: Record<string, grpc.MethodDefinition<any, any>> = {};
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const [name, method] of methodsOf(pluginService)) {
    definition[name] = {
      ...{ path: method.path, requestStream: false, responseStream: name === 'ListAndWatch' },
      ...{ requestSerialize: method.encodeRequest, requestDeserialize: method.decodeRequest },
      ...{ responseSerialize: method.encodeResponse, responseDeserialize: method.decodeResponse },
    };
    implementation[name] =
      name === 'ListAndWatch'
        ? (stream: grpc.ServerWritableStream<Message, Message>) => {
            streams.add(stream);
            stream.on('close', () => streams.delete(stream));
            if (current) stream.write(current);
          }
        : (call: grpc.ServerUnaryCall<any, any>, callback: grpc.sendUnaryData<any>) => {
            plugin.calls.push({ name, request: call.request });
            const answer = plugin.answers[name]?.(call.request);
            if (!answer) return;
            if ('code' in answer) callback(answer as grpc.ServiceError);
            else callback(null, answer);
          };
  }
  server.addService(definition, implementation);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return plugin;
}
