// For tests: gRPC services on real sockets whose calls hang, fail, or answer anything.

import * as grpc from '@grpc/grpc-js';
import type { Message, Service } from './rpc.ts';
import { methodsOf } from './rpc-transport.ts';

export type Fault = 'hang' | { readonly code: grpc.status; readonly details: string } | { readonly answer: Message };

/** Adds the service; `answer` is called with the decoded request, `streams` by the name of the method. */
export function serve(
  server: grpc.Server,
  service: Service,
  answer: (method: string, request: any) => Fault,
  streams: Readonly<Record<string, (stream: grpc.ServerWritableStream<any, any>) => void>> = {},
): void {
  const definition: Record<string, grpc.MethodDefinition<any, any>> = {};
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const [name, method] of methodsOf(service)) {
    definition[name] = {
      ...{ path: method.path, requestStream: false, responseStream: name in streams },
      ...{ requestSerialize: method.encodeRequest, requestDeserialize: method.decodeRequest },
      ...{ responseSerialize: method.encodeResponse, responseDeserialize: method.decodeResponse },
    };
    const stream = streams[name];
    if (stream) {
      implementation[name] = stream;
      continue;
    }
    implementation[name] = (call: grpc.ServerUnaryCall<any, any>, callback: grpc.sendUnaryData<any>) => {
      const fault = answer(name, call.request);
      if (fault === 'hang') return;
      if ('answer' in fault) callback(null, fault.answer);
      else callback(fault);
    };
  }
  server.addService(definition, implementation);
}

export const bind = (server: grpc.Server, socket: string) =>
  new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
