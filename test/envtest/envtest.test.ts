// The programs of `coracle envtest`, used as operators' test environments use them.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { testAuthority } from '../../src/kube-apiserver/testing/test-certificates.ts';
import { rounds } from '../long/long.ts';
import { type Answer, Environment } from './environment.ts';

const checkout = path.join(import.meta.dirname, '../..');
const assets = mkdtempSync(path.join(os.tmpdir(), 'coracle-assets-'));
const maps = '/api/v1/namespaces/default/configmaps';

beforeAll(() => {
  const printed = execFileSync('./coracle', ['envtest', '--print-assets', '--dir', assets], { cwd: checkout });
  expect(String(printed)).toBe(`${assets}\n`);
});
afterAll(() => rmSync(assets, { recursive: true, force: true }));

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a suite', () => {
  let environment: Environment;
  let admin: (method: string, url: string, body?: object) => Promise<Answer>;
  beforeAll(async () => {
    environment = await new Environment({ assets }).start();
    admin = await environment.user('default', 'system:masters');
  });
  afterAll(() => environment.stop());

  test('installs a CustomResourceDefinition and uses it', async () => {
    await admin('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'captains.crew.example.com' },
      spec: {
        group: 'crew.example.com',
        scope: 'Namespaced',
        names: { plural: 'captains', singular: 'captain', kind: 'Captain', listKind: 'CaptainList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    });
    // As envtest waits: until discovery names the resource.
    await vi.waitFor(async () => {
      const { body } = await admin('GET', '/apis/crew.example.com/v1');
      expect(body.resources?.map(({ name }: { name: string }) => name)).toContain('captains');
    });
    const body = { apiVersion: 'crew.example.com/v1', kind: 'Captain', metadata: { name: 'ahab' } };
    expect(await admin('POST', '/apis/crew.example.com/v1/namespaces/default/captains', body)).toMatchObject({
      code: 201,
    });
  });

  test('calls webhooks on the loopback address', async () => {
    const authority = await testAuthority();
    const hook = createServer(await authority.issue('CN=hook', ['127.0.0.1']), (request, response) => {
      let text = '';
      request.on('data', (part) => (text += part));
      request.on('end', () => {
        const { apiVersion, kind, request: asked } = JSON.parse(text);
        const allowed = asked.object.data?.a !== 'bad';
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            apiVersion,
            kind,
            response: { uid: asked.uid, allowed, status: { code: 403, message: 'no bad data' } },
          }),
        );
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const made = await admin('POST', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
      metadata: { name: 'hook' },
      webhooks: [
        {
          name: 'hook.example.com',
          clientConfig: {
            url: `https://127.0.0.1:${(hook.address() as AddressInfo).port}/validate`,
            caBundle: Buffer.from(authority.ca).toString('base64'),
          },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    });
    expect(made).toMatchObject({ code: 201 });
    const create = (a: string) => admin('POST', maps, { metadata: { generateName: 'm-' }, data: { a } });
    await vi.waitFor(async () => expect(await create('bad')).toMatchObject({ code: 403 }));
    expect((await create('bad')).body.message).toBe(
      'admission webhook "hook.example.com" denied the request: no bad data',
    );
    expect(await create('good')).toMatchObject({ code: 201 });
    await admin('DELETE', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook');
    hook.close();
  });

  test('has users with the rights that roles give them', async () => {
    const reader = await environment.user('reader', 'readers');
    expect(await reader('GET', maps)).toMatchObject({ code: 403 });
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await admin('POST', `${rbac}/clusterroles`, {
      metadata: { name: 'map-reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }],
    });
    const made = await admin('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name: 'readers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'map-reader' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'readers' }],
    });
    expect(made).toMatchObject({ code: 201 });
    await vi.waitFor(async () => expect(await reader('GET', maps)).toMatchObject({ code: 200 }));
    expect(await reader('POST', maps, { metadata: { name: 'x' } })).toMatchObject({ code: 403 });
  });

  test('has no pods without a service account to make, as its flags say', async () => {
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    expect(await admin('POST', '/api/v1/namespaces/default/pods', pod)).toMatchObject({ code: 201 });
  });

  test('finds kubectl beside the other programs', async () => {
    const kubectl = path.join(assets, 'kubectl');
    if (!existsSync(kubectl)) return; // there is none on this machine
    const file = await environment.kubeconfig('kubectl', 'system:masters');
    const names = execFileSync(kubectl, ['--kubeconfig', file, 'get', 'namespaces', '-o', 'name'], {
      encoding: 'utf8',
    });
    expect(names).toContain('namespace/kube-system');
  });

  test('keeps its objects when the API server starts again, also after kill -9', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const body = { metadata: { name: `kept-${signal.toLowerCase()}` } };
      expect(await admin('POST', maps, body)).toMatchObject({ code: 201 });
      environment.apiServer.child.kill(signal);
      await environment.apiServer.ended;
      await environment.startApiServer();
      expect(await admin('GET', `${maps}/${body.metadata.name}`)).toMatchObject({ code: 200 });
    }
  });
});

test(`${rounds(3, 100)} starts in a row leave no process behind`, async () => {
  const times: number[] = [];
  const pids: number[] = [];
  for (let round = 0; round < rounds(3, 100); round++) {
    const environment = await new Environment({ assets }).start();
    times.push(environment.startMs);
    pids.push(environment.etcd.pid, environment.apiServer.pid);
    await environment.stop();
  }
  expect(pids.filter(isAlive)).toEqual([]);
  times.sort((a, b) => a - b);
  console.log(`envtest: start to healthy, median ${Math.round(times[times.length >> 1])} ms`);
}, 600_000);

test('packages that run at the same time have separate environments', async () => {
  const all = await Promise.all([1, 2, 3].map(() => new Environment({ assets }).start()));
  const admins = await Promise.all(all.map((environment) => environment.user('default', 'system:masters')));
  await Promise.all(admins.map((admin, index) => admin('POST', maps, { metadata: { name: `of-${index}` } })));
  for (const [index, admin] of admins.entries()) {
    const { items } = (await admin('GET', maps)).body;
    const own = items.map(({ metadata }: any) => metadata.name).filter((name: string) => name.startsWith('of-'));
    expect(own).toEqual([`of-${index}`]);
  }
  await Promise.all(all.map((environment) => environment.stop()));
});

test('a second API server over the same etcd is refused by name', async () => {
  const environment = await new Environment({ assets }).start();
  const { apiServer, port } = environment;
  environment.port = port + 1;
  await expect(environment.startApiServer()).rejects.toThrow(/is in use by process|is taken by another process/);
  Object.assign(environment, { apiServer, port });
  await environment.stop();
});

test('the programs end when the tests are killed', async () => {
  const script = `
    import { Environment } from ${JSON.stringify(path.join(import.meta.dirname, 'environment.ts'))};
    const { etcd, apiServer } = await new Environment({ assets: ${JSON.stringify(assets)} }).start();
    console.log(JSON.stringify([etcd.pid, apiServer.pid]));`;
  const tests: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids: number[] = await new Promise((resolve, reject) => {
    tests.stdout?.on('data', (text) => resolve(JSON.parse(String(text))));
    tests.on('exit', (code) => reject(new Error(`the tests ended with ${code}`)));
  });
  expect(pids.every(isAlive)).toBe(true);
  tests.kill('SIGKILL');
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 5_000 });
});
