import { afterEach, expect, test } from 'vitest';
import type { Route } from '../provider.ts';
import { startTestCloud, type TestCloud } from '../test-cloud.ts';

let cloud: TestCloud | undefined;
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});

async function start(...existing: Route[]) {
  const state = {
    routes: existing,
    failure: undefined as Error | undefined,
    listFailure: undefined as Error | undefined,
  };
  const call = <T>(failure: Error | undefined, work: () => T) =>
    failure ? Promise.reject(failure) : Promise.resolve(work());
  const routes = {
    list: () => call(state.listFailure, () => state.routes),
    create: (nameHint: string, { targetNode, destinationCIDR }: Omit<Route, 'name'>) =>
      call(state.failure, () => {
        state.routes = [...state.routes, { name: nameHint, targetNode, destinationCIDR }];
      }),
    remove: (route: Route) =>
      call(state.failure, () => {
        state.routes = state.routes.filter((each) => each !== route);
      }),
  };
  cloud = await startTestCloud({ name: 'test', routes });
  return Object.assign(state, cloud);
}

const range = (third: number) => ({ spec: { podCIDR: `10.244.${third}.0/24`, podCIDRs: [`10.244.${third}.0/24`] } });
const condition = async ({ getNode }: TestCloud, name: string) =>
  (await getNode(name)).status?.conditions?.find(({ type }) => type === 'NetworkUnavailable');
const texts = (routes: readonly Route[]) =>
  routes.map(({ targetNode, destinationCIDR }) => `${targetNode} ${destinationCIDR}`);

test('a node gets its route within ten seconds, and its network is available', async () => {
  const test = await start({ name: 'old', targetNode: 'gone', destinationCIDR: '10.244.9.0/24' });
  await test.node('a', range(0));
  await test.pass(10_000);
  expect(texts(test.routes)).toEqual(['a 10.244.0.0/24']);
  expect(test.routes[0]?.name).toBe((await test.getNode('a')).metadata.uid);
  expect(await condition(test, 'a')).toMatchObject({
    status: 'False',
    reason: 'RouteCreated',
    message: 'RouteController created a route',
  });
});

test('a route that the cloud refuses makes the network unavailable, until it exists', async () => {
  const test = await start();
  test.failure = new Error('quota');
  await test.node('a', range(0));
  await test.pass(10_000);
  expect(await condition(test, 'a')).toMatchObject({
    status: 'True',
    reason: 'NoRouteCreated',
    message: 'RouteController failed to create a route',
  });
  const { uid } = (await test.getNode('a')).metadata;
  expect((await test.events('a')).join()).toMatch(
    `Warning FailedToCreateRoute: Could not create route ${uid} 10.244.0.0/24 for node a after 0s: quota`,
  );
  test.failure = undefined;
  await test.pass(10_000);
  expect(await condition(test, 'a')).toMatchObject({ status: 'False' });
});

test('a cloud that does not list its routes changes nothing', async () => {
  const test = await start();
  await test.node('a', range(0));
  await test.pass(10_000);
  test.listFailure = new Error('down');
  await test.node('b', range(1));
  await test.client.delete('nodes', { name: 'a' });
  await test.pass(60_000);
  expect(texts(test.routes)).toEqual(['a 10.244.0.0/24']);
  expect(await condition(test, 'b')).toBeUndefined();
  test.listFailure = undefined;
  await test.pass(10_000);
  expect(texts(test.routes)).toEqual(['b 10.244.1.0/24']);
});
