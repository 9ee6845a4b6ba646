// Extenders that are real HTTP servers, with a simulated cluster. Several of them are hostile.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../../testing/testing.ts';

let cluster: TestCluster | undefined;
let directory: string;
let servers: Server[] = [];
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  await rm(directory, { recursive: true });
});

type Answer = (verb: string, request: any, response: ServerResponse) => unknown;

/** Resolves with its address. An answer of undefined: the function answers by itself. */
async function serve(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const value = answer(request.url?.slice(1) ?? '', JSON.parse(Buffer.concat(pieces).toString()), response);
    if (value !== undefined) response.end(typeof value === 'string' ? value : JSON.stringify(value));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(...extenders: object[]): Promise<TestCluster> {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-extender-'));
  const schedulerConfig = path.join(directory, 'scheduler.yaml');
  const head = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' };
  await writeFile(schedulerConfig, JSON.stringify({ ...head, extenders }));
  return (cluster = await startCluster({ nodes: 3, schedulerConfig, time: 'real' }));
}

const at = (name: string) => ({ namespace: 'default', name });
const addPod = (name: string, requests: object = {}, spec: object = {}) =>
  cluster?.client.create('pods', {
    metadata: at(name),
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests, limits: requests } }], ...spec },
  } as never);
const nodeOf = async (name: string) => (await cluster?.client.get('pods', at(name)))?.spec.nodeName;
const messageOf = async (name: string) =>
  (await cluster?.client.get('pods', at(name)))?.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  )?.message;
const placed = (name: string) => cluster?.until(async () => (await nodeOf(name)) !== undefined);
const refused = (name: string) => cluster?.until(async () => (await messageOf(name)) !== undefined);
const names = ({ Nodes, NodeNames }: any): string[] =>
  NodeNames ?? Nodes.items.map(({ metadata }: any) => metadata.name);
const nodesOf = (...kept: string[]) => ({ Nodes: { items: kept.map((name) => ({ metadata: { name } })) } });

test('an extender filters and scores nodes', async () => {
  const asked: string[] = [];
  const urlPrefix = await serve((verb, request) => {
    asked.push(`${verb}: ${names(request).sort().join(' ')}`);
    if (verb === 'filter')
      return { ...nodesOf('node-1', 'node-3'), FailedNodes: { 'node-2': 'has no room' }, Error: '' };
    return [
      { Host: 'node-1', Score: 0 },
      { Host: 'node-3', Score: 10 },
    ];
  });
  await start({ urlPrefix, filterVerb: 'filter', prioritizeVerb: 'prioritize', weight: 100 });
  await addPod('web');
  await placed('web');
  expect(await nodeOf('web')).toBe('node-3');
  expect(asked).toEqual(['filter: node-1 node-2 node-3', 'prioritize: node-1 node-3']);
});

test('names alone are sent to an extender that knows the nodes, of pods with its resources', async () => {
  const asked: string[] = [];
  const urlPrefix = await serve((verb, { Pod, Nodes, NodeNames }) => {
    asked.push(`${verb} ${Pod.metadata.name} ${Nodes}`);
    return { nodenames: NodeNames.filter((name: string) => name === 'node-2') };
  });
  const managedResources = [{ name: 'example.com/foo', ignoredByScheduler: true }];
  await start({ urlPrefix: `${urlPrefix}/`, filterVerb: 'filter', nodeCacheCapable: true, managedResources });
  await addPod('other');
  await addPod('own', { 'example.com/foo': '1' });
  await placed('other');
  await placed('own');
  expect([asked, await nodeOf('own')]).toEqual([['filter own null'], 'node-2']);
});

test('a pod that an extender refuses everywhere says why, and is tried again after an event', async () => {
  let isOpen = false;
  const urlPrefix = await serve((_, request) =>
    isOpen
      ? nodesOf('node-1')
      : { FailedNodes: Object.fromEntries(names(request).map((name) => [name, 'the extender says no'])) },
  );
  await start({ urlPrefix, filterVerb: 'filter' });
  await addPod('web');
  await refused('web');
  expect(await messageOf('web')).toMatch(/^0\/3 nodes are available: 3 the extender says no\./);
  isOpen = true;
  const node = await cluster?.client.get('nodes', { name: 'node-1' });
  await cluster?.client.update('nodes', {
    ...node,
    metadata: { ...node?.metadata, labels: { ...node?.metadata.labels, a: 'b' } },
  } as never);
  await placed('web');
});

test('an extender binds', async () => {
  const urlPrefix = await serve((verb, request, response) => {
    const { PodName: name, PodNamespace: namespace, PodUID: uid, Node } = request;
    const binding = { metadata: { name, namespace, uid }, target: { kind: 'Node', name: Node } };
    void cluster?.client
      .createSubresource('pods', { name, namespace }, 'binding', binding as never)
      .then(() => response.end(JSON.stringify({ Error: verb === 'bind' ? '' : 'another verb' })));
    return undefined;
  });
  await start({ urlPrefix, bindVerb: 'bind' });
  await addPod('web');
  await placed('web');
});

test('an extender chooses the victims of preemption', async () => {
  const urlPrefix = await serve((_, { NodeNameToVictims }) => ({
    NodeNameToMetaVictims: {
      'node-2': { Pods: NodeNameToVictims['node-2'].Pods.map(({ metadata }: any) => ({ UID: metadata.uid })) },
    },
  }));
  const { client, until } = await start({ urlPrefix, preemptVerb: 'preempt' });
  await client.create('priorityclasses', { metadata: { name: 'high' }, value: 100 } as never);
  const { status } = await client.get('nodes', { name: 'node-1' });
  const cpu = String(Number(status?.allocatable?.['cpu']) - 0.5);
  for (const name of ['a', 'b', 'c']) await addPod(name, { cpu });
  for (const name of ['a', 'b', 'c']) await placed(name);
  await addPod('high', { cpu }, { priorityClassName: 'high' });
  await until(async () => (await nodeOf('high')) !== undefined, 20_000);
  expect(await nodeOf('high')).toBe('node-2');
});

describe('an extender that fails', () => {
  test.each<{ case: string; answer: Answer; message: RegExp }>([
    { case: 'with an error', answer: () => ({ Error: 'no idea' }), message: /^no idea$/ },
    {
      case: 'with a status',
      answer: (_, __, response) => {
        response.statusCode = 500;
        return '{}';
      },
      message: /^failed filter with extender at URL http:\/\/127\.0\.0\.1:\d+\/filter, code 500$/,
    },
    {
      case: 'with another node',
      answer: () => nodesOf('node-9'),
      message: /^extender ".*" claims a filtered node "node-9" which is not found in the input node list$/,
    },
    { case: 'with no JSON', answer: () => '<html>', message: /is no JSON$/ },
    { case: 'with other types', answer: () => ({ Nodes: 'all' }), message: /expected an object$/ },
    { case: 'with a list', answer: () => [1], message: /expected an object$/ },
    { case: 'without end', answer: () => 'x'.repeat(4 << 20), message: /the answer is longer than \d+ bytes$/ },
    { case: 'with silence', answer: () => undefined, message: /no answer within 0.3s$/ },
  ])('$case: the pod reports it', async ({ answer, message }) => {
    const urlPrefix = await serve(answer);
    await start({ urlPrefix, filterVerb: 'filter', httpTimeout: message.source.includes('0.3s') ? '300ms' : '30s' });
    await addPod('web');
    await refused('web');
    expect(await messageOf('web')).toMatch(message);
  });

  test('does not matter when it is ignorable, nor when it only scores', async () => {
    const urlPrefix = await serve((verb) => (verb === 'filter' ? '<html>' : [{ Host: 'x', Score: 'high' }]));
    await start({
      ...{ urlPrefix, filterVerb: 'filter', prioritizeVerb: 'prioritize', bindVerb: 'bind' },
      ...{ weight: 1, ignorable: true },
    });
    await addPod('web');
    await placed('web');
  });
});
