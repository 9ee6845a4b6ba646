// `coracle console --kubeconfig`: the console on the loopback interface for the server of a kubeconfig.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';
import { type Background, checkout } from './machine.ts';

const reason = notLong ?? whyNoBrowser();
const labels = { app: 'shop' };
const metadata = { name: 'shop', namespace: 'default', labels };
const output = { 'simulated.coracle.local/output': 'hello from the log' };
const objects = [
  {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations: output } },
    spec: { containers: [{ name: 'web', image: 'nginx', ports: [{ containerPort: 8080 }] }] },
  },
  { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
];
const shop = `
import { createServer } from 'node:http';
createServer((request, response) => {
  if (request.url === '/old') return response.writeHead(302, { Location: '/next', 'Set-Cookie': 'x=1' }).end();
  response.setHeader('Content-Type', 'text/html');
  response.end(request.url === '/next' ? '<h1>Next</h1>' : '<h1>Shop</h1><a href="/old">next</a>');
}).listen(8080, process.argv[2]);
`;

describe.skipIf(reason)(`the console of a kubeconfig${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let user: Visitor;
  let served: Background;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    const { machine } = cluster;
    served = machine.background(path.join(checkout, 'coracle'), [
      ...['console', '--kubeconfig', machine.kubeconfig, '--port', '7620', '--no-open'],
    ]);
    await machine.apply(...objects);
    await machine.kubectl('wait', 'pod/shop', '--for=condition=Ready', '--timeout=20s');
    const address = await cluster.field('pod', 'shop', '.status.podIP');
    expect((await machine.run('ip', ['addr', 'add', `${address}/32`, 'dev', 'eth0'])).code).toBe(0);
    const program = path.join(machine.directory, 'shop.mjs');
    writeFileSync(program, shop);
    machine.background(process.execPath, [program, address]);
    const [link] = await served.shows(/https:\S+/);
    user = await visit(browser, link);
    await user.page.locator('.sidebar').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => user.page;

  test('it has the rights of the kubeconfig, and lists are live', async () => {
    expect(page().url()).toBe('https://127.0.0.1:7620/console/');
    expect(await page().locator('.user-name').textContent()).toBe('kubernetes-admin');
    await user.go('/list/pods');
    await page().locator('.table-row', { hasText: 'shop' }).waitFor();
    await cluster.machine.kubectl('run', 'second', '--image=nginx');
    await page().locator('.table-row', { hasText: 'second' }).waitFor();
  });

  test('parts that only Coracle has are grey', async () => {
    await page().locator('.nav-link.off', { hasText: 'Traffic' }).waitFor();
    expect(await page().getByRole('button', { name: 'History' }).getAttribute('aria-disabled')).toBe('true');
    await user.go('/object/pods/default/shop/why');
    await page().getByText('Only a Coracle cluster knows this').waitFor();
    await page().getByText('Timeline').waitFor();
    await user.picture('kubeconfig');
    expect(await user.barriers()).toEqual([]);
  });

  test('logs are followed, terminals open, objects are written', async () => {
    await user.go('/object/pods/default/shop/logs');
    await page().locator('.log-text', { hasText: 'hello from the log' }).waitFor();
    await user.go('/object/pods/default/shop/terminal');
    await page().locator('.xterm').waitFor();
    await page().getByText('The shell has ended').waitFor();
    await user.go('/object/pods/default/second');
    await page().getByRole('button', { name: 'Delete' }).click();
    await page().getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page().getByText('Deleted 1').waitFor();
  });

  test('a page of a service opens as a preview, with its links', async () => {
    await user.go('/object/services/default/shop');
    await page().getByRole('button', { name: 'Open a port' }).click();
    const opening = user.context.waitForEvent('page');
    await page().getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click();
    const opened = await opening;
    await opened.getByRole('link', { name: 'next' }).click();
    await opened.getByRole('heading', { name: 'Next' }).waitFor();
    expect(new URL(opened.url()).pathname).toMatch(/^\/console\/preview\/[\w-]{43}\/next$/);
    expect(await opened.evaluate('window.origin')).toBe('null');
    expect((await user.context.cookies()).map(({ name }) => name)).toEqual(['__Secure-coracle-7620']);
    await opened.close();
  });

  test('a credential plugin runs again when the server refuses its token', async () => {
    const { machine } = cluster;
    const file = (name: string) => path.join(machine.directory, name);
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: 'operator' } };
    const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    await machine.apply(account, {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'operator' } },
      ...{ subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace: 'default' }], roleRef: role },
    });
    const apiVersion = 'client.authentication.k8s.io/v1';
    const renew = async () => {
      const token = (await machine.kubectl('create', 'token', 'operator')).trim();
      writeFileSync(file('credential'), JSON.stringify({ kind: 'ExecCredential', apiVersion, status: { token } }));
    };
    await renew();
    const config = JSON.parse(await machine.kubectl('config', 'view', '--raw', '-o', 'json'));
    const exec = { apiVersion, interactiveMode: 'Never', command: 'cat', args: [file('credential')] };
    config.users = [{ name: config.users[0].name, user: { exec } }];
    writeFileSync(file('plugin.kubeconfig'), JSON.stringify(config));
    const other = machine.background(path.join(checkout, 'coracle'), [
      ...['console', '--kubeconfig', file('plugin.kubeconfig'), '--port', '7621', '--no-open'],
    ]);
    const operator = await visit(browser, (await other.shows(/https:\S+/))[0]);
    await operator.page.locator('.user-name', { hasText: 'system:serviceaccount:default:operator' }).waitFor();
    await machine.kubectl('delete', 'serviceaccount', 'operator');
    await operator.go('/list/configmaps');
    await operator.page.getByText('does not accept the credentials of the kubeconfig').first().waitFor();
    await operator.picture('credentials');
    await machine.apply(account);
    await renew();
    await operator.page.locator('.table-row', { hasText: 'kube-root-ca.crt' }).first().waitFor();
    expect(operator.faults).toEqual([]);
    await operator.context.close();
    await other.end('SIGTERM');
  });

  test('it answers its own names alone, and nothing without a session', async () => {
    const { machine } = cluster;
    const at = 'https://127.0.0.1:7620/console/api/api/v1/secrets';
    expect((await machine.curl(at, '-k')).stdout).toContain('sign in to the console');
    const rebound = await machine.curl('https://127.0.0.1:7620/console/', '-k', '-H', 'Host: evil.example');
    expect(rebound.stdout).toBe('unknown host');
    expect(user.faults).toEqual([]);
    await served.end('SIGTERM');
    expect((await machine.curl('https://127.0.0.1:7620/console/', '-k')).code).not.toBe(0);
  });
});
