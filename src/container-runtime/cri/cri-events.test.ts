// A fake runtime with the required part of CRI: it simulates failures of real ones.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import type { ContainerRuntime } from '../interface.ts';
import { createCriRuntime } from './cri.ts';
import { criProto } from './cri-proto.ts';

const { root } = protobuf.parse(criProto);
const service = root.lookupService('runtime.v1.RuntimeService');

/** Handlers by method; a method without one is UNIMPLEMENTED. */
type Handlers = Readonly<Record<string, (call: any, answer: (error: any, message?: object) => void) => void>>;

let directory: string;
let server: grpc.Server;
let runtime: ContainerRuntime | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'coracle-fake-cri-'));
});
afterEach(async () => {
  await runtime?.close();
  runtime = undefined;
  server.forceShutdown();
  rmSync(directory, { recursive: true, force: true });
});

async function start(handlers: Handlers): Promise<ContainerRuntime> {
  server = new grpc.Server();
  const definition: any = {};
  for (const method of service.methodsArray) {
    const [request, response] = [method.requestType, method.responseType].map((name) =>
      root.lookupType(`runtime.v1.${name}`),
    );
    definition[method.name] = {
      path: `/runtime.v1.RuntimeService/${method.name}`,
      requestStream: false,
      responseStream: method.responseStream ?? false,
      requestDeserialize: (bytes: Buffer) => request.toObject(request.decode(bytes)),
      responseSerialize: (message: object) => Buffer.from(response.encode(response.fromObject(message)).finish()),
    };
  }
  const version = (_: unknown, answer: (error: null, message: object) => void) =>
    answer(null, { runtimeName: 'fake', runtimeVersion: '1' });
  server.addService(definition, { Version: version, ...handlers });
  const endpoint = `unix://${directory}/s`;
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(endpoint, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  runtime = await createCriRuntime({
    endpoint,
    owner: 'test',
    imageDirectory: directory,
    clock: systemClock,
    random: seededRandom(1),
  });
  return runtime;
}

test('events are subscribed again after their stream ended or broke', async () => {
  let subscriptions = 0;
  const subject = await start({
    GetContainerEvents(call) {
      subscriptions++;
      call.write({ containerId: `c${subscriptions}`, containerEventType: 'CONTAINER_STARTED_EVENT' });
      if (subscriptions === 1) call.end();
      if (subscriptions === 2) call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'gone' });
    },
  });
  const ended = new AbortController();
  const seen: string[] = [];
  for await (const { containerId } of subject.events(ended.signal)) {
    seen.push(containerId);
    if (seen.length === 3) ended.abort();
  }
  expect(seen).toEqual(['c1', 'c2', 'c3']);
});

test('a runtime without events is called once', async () => {
  const subject = await start({});
  const seen: unknown[] = [];
  for await (const event of subject.events(new AbortController().signal)) seen.push(event);
  expect(seen).toEqual([]);
});

test.each([
  { case: 'in time', takesMs: 0, kind: 'unavailable' },
  { case: 'too late', takesMs: 1100, kind: 'timeout' },
])('a command that fails $case', async ({ takesMs, kind }) => {
  const subject = await start({
    ExecSync: (_, answer) => void setTimeout(() => answer({ code: grpc.status.UNKNOWN, details: 'failed' }), takesMs),
  });
  await expect(subject.execSync('c', ['x'], 1000)).rejects.toMatchObject({ kind });
});
