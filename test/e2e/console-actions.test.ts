// Actions of the console in real Chromium, on a simulated cluster: previews of pods, terminals, files.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, WebSocketRoute } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';

const reason = notLong ?? whyNoBrowser();
const labels = { app: 'shop' };
const metadata = { name: 'shop', namespace: 'default' };
const objects = [
  {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, labels } },
    spec: { containers: [{ name: 'web', image: 'nginx', ports: [{ containerPort: 8080, name: 'http' }] }] },
  },
  { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
  ...['StatefulSet', 'DaemonSet'].map((kind) => {
    const own = { app: kind.toLowerCase() };
    return {
      ...{ apiVersion: 'apps/v1', kind, metadata: { ...metadata, name: own.app } },
      spec: {
        selector: { matchLabels: own },
        ...(kind === 'StatefulSet' && { serviceName: 'none' }),
        template: {
          metadata: { labels: own },
          spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'app:1' }] },
        },
      },
    };
  }),
];

/** A hostile shop: it takes all that it can get from the console. */
const shop = `
import { createServer } from 'node:http';
const page = \`<!doctype html><title>shop</title><h1>Shop</h1><a href="/next">next</a><p id=out>waits</p>
<script>
  const found = [];
  const attempt = async (name, work) => { try { found.push(name + '=' + await work()); } catch { found.push(name + ' refused'); } };
  (async () => {
    await attempt('storage', () => localStorage.getItem('coracle.key'));
    await attempt('cookie', () => document.cookie);
    await attempt('session', async () => (await fetch('/console/session', { credentials: 'include' })).status);
    await attempt('opener', () => window.opener === null ? 'none' : 'there');
    await attempt('own', async () => (await fetch('data', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).text());
    document.getElementById('out').textContent = found.join(', ');
  })();
</script>\`;
createServer((request, response) => {
  const cookie = request.headers.cookie ?? 'none';
  if (request.url === '/data') return response.end('data, cookie ' + cookie);
  response.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': '__Secure-coracle-x=1; Path=/', 'Clear-Site-Data': '"*"' });
  response.end(request.url === '/next' ? '<h1>Next</h1>' : page);
}).listen(8080, process.argv[2]);
`;

describe.skipIf(reason)(`actions of the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let admin: Visitor;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    const { machine } = cluster;
    await machine.apply(...objects);
    await machine.kubectl('wait', 'pod/shop', '--for=condition=Ready', '--timeout=20s');
    const address = await cluster.field('pod', 'shop', '.status.podIP');
    // Simulated pods have no network: the machine answers in their place.
    expect((await machine.run('ip', ['addr', 'add', `${address}/32`, 'dev', 'eth0'])).code).toBe(0);
    const program = path.join(machine.directory, 'shop.mjs');
    writeFileSync(program, shop);
    machine.background(process.execPath, [program, address]);
    admin = await visit(browser, link);
    await admin.page.locator('.sidebar').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => admin.page;
  const button = (name: string) => page().getByRole('button', { name, exact: true });

  test('a page of a service opens in a sandbox: it gets nothing of the console', async () => {
    await admin.go('/object/services/default/shop');
    await button('Open a port').click();
    await page().getByText('kubectl -n default port-forward service/shop 8080:80').waitFor();
    await admin.picture('open-port');
    const opening = admin.context.waitForEvent('page');
    await page().getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click();
    const opened = await opening;
    await opened.getByRole('heading', { name: 'Shop' }).waitFor();
    await expect.poll(() => opened.locator('#out').textContent(), { timeout: 10_000 }).not.toBe('waits');
    expect(await opened.locator('#out').textContent()).toBe(
      'storage refused, cookie refused, session refused, opener=none, own=data, cookie none',
    );
    await opened.getByRole('link', { name: 'next' }).click();
    await opened.getByRole('heading', { name: 'Next' }).waitFor();
    expect(new URL(opened.url()).pathname).toMatch(/^\/console\/preview\/[\w-]{43}\/next$/);
    await opened.close();
    await page().keyboard.press('Escape');
    // The page could neither sign the user out nor set a cookie.
    await page().reload();
    await page().locator('.sidebar').waitFor();
    const cookies = await admin.context.cookies();
    expect(cookies.map(({ name }) => name).filter((name) => name.endsWith('-x'))).toEqual([]);
  });

  test.each(['statefulset', 'daemonset'])('a %s rolls back to an earlier revision', async (name) => {
    const { machine } = cluster;
    await machine.kubectl('set', 'image', `${name}/${name}`, 'c=app:2');
    await expect
      .poll(() => machine.kubectl('get', 'controllerrevisions', '-l', `app=${name}`, '-o', 'name'), { timeout: 20_000 })
      .toMatch(/\n.*\n/);
    await admin.go(`/object/${name}s.apps/default/${name}`);
    await button('Roll back').click();
    const dialog = page().getByRole('dialog');
    await dialog.getByText('spec.containers[c].image').waitFor();
    await dialog.getByText('app:1').waitFor();
    await admin.picture(`roll-back-${name}`);
    await dialog.getByRole('button', { name: 'Roll back' }).click();
    await page().getByText(`${name} returns to revision 1`).waitFor();
    expect(await cluster.field(name, name, '.spec.template.spec.containers[0].image')).toBe('app:1');
  });

  test('a user without the right gets no page', async () => {
    const { machine } = cluster;
    const [account] = [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: 'reader' } }];
    const binding = {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { ...metadata, name: 'reader' } },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'default' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    };
    await machine.apply(account, binding);
    const token = (await machine.kubectl('create', 'token', 'reader')).trim();
    const reader = await visit(browser, `${new URL(page().url()).origin}/console/`);
    await reader.page.getByRole('textbox').fill(token);
    await reader.page.getByRole('button', { name: 'Sign in' }).click();
    await reader.page.locator('.sidebar').waitFor();
    await reader.go('/object/services/default/shop');
    await reader.page.getByRole('button', { name: 'Open a port' }).click();
    const opening = reader.context.waitForEvent('page');
    await reader.page.getByRole('dialog').getByRole('button', { name: 'Open', exact: true }).click();
    const opened = await opening;
    await opened.getByText('cannot get resource').waitFor();
    await reader.context.close();
  });

  test('a debug container starts, and the terminal is attached to it', async () => {
    await admin.go('/object/pods/default/shop/terminal');
    await button('Debug').click();
    await page().getByRole('textbox', { name: 'Image' }).fill('tools:1');
    await page().getByRole('dialog').getByRole('button', { name: 'Debug', exact: true }).click();
    await expect.poll(() => page().getByLabel('Containers').inputValue()).toBe('debugger-1');
    expect(await page().getByLabel('Terminal of').inputValue()).toBe('attach');
    await page().locator('.xterm').waitFor();
    const added = '.spec.ephemeralContainers[0]';
    expect(await cluster.field('pod', 'shop', `${added}['image','targetContainerName','tty']`)).toBe(
      'tools:1 web true',
    );
    await admin.picture('terminal');
    expect(await admin.barriers()).toEqual([]);
  });

  test('files are copied out of a container and into it, and hostile names are left out', async () => {
    const directory = path.join(cluster.machine.directory, 'container');
    mkdirSync(path.join(directory, 'etc'), { recursive: true });
    writeFileSync(path.join(directory, 'etc/a.conf'), 'a=1\n');
    writeFileSync(path.join(directory, 'etc/b.conf'), 'b=2\n');
    symlinkSync('/etc/shadow', path.join(directory, 'etc/shadow'));
    await page().routeWebSocket(/\/exec\?/, (socket) => runTar(socket, directory));
    await admin.go('/object/pods/default/shop/terminal');
    await button('Files').click();
    await page().getByLabel('File or directory in the container').fill('/etc');
    await button('Fetch').click();
    await page().getByText('etc/a.conf').waitFor();
    await page().getByText('etc/shadow (a link)').waitFor();
    await admin.picture('files');
    expect(await admin.barriers()).toEqual([]);
    const downloading = page().waitForEvent('download');
    await page().getByRole('button', { name: 'etc/b.conf' }).click();
    const file = await (await downloading).path();
    expect(readFileSync(file, 'utf8')).toBe('b=2\n');
    await page()
      .getByLabel('Files to send')
      .setInputFiles({ name: 'new.txt', mimeType: 'text/plain', buffer: Buffer.alloc(300_000, 'x') });
    await page().getByRole('textbox', { name: 'Directory', exact: true }).fill('/etc');
    await button('Send').click();
    await page().getByText('The file is in /etc').waitFor();
    expect(readFileSync(path.join(directory, 'etc/new.txt'), 'utf8')).toBe('x'.repeat(300_000));
    expect(admin.faults).toEqual([]);
  });

  test('a node is drained: pods of DaemonSets stay, and all others are gone', async () => {
    const node = await cluster.field('pod', 'statefulset-0', '.spec.nodeName');
    await admin.go(`/object/nodes/-/${node}`);
    await button('Drain').click();
    const dialog = page().getByRole('dialog');
    await dialog.getByText(/1 pods? of DaemonSets/).waitFor();
    await dialog.getByLabel('Also pods that nothing creates again').check();
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await page().getByText(`${node} is drained`).waitFor();
    const left = await cluster.machine.kubectl(
      'get',
      'pods',
      '--field-selector',
      `spec.nodeName=${node}`,
      '-o',
      'name',
    );
    expect(left).toMatch(/^pod\/daemonset-\w+\n$/);
  });
});

/** The far end of an exec: a real tar below a directory, which stands for the container's root. */
function runTar(socket: WebSocketRoute, root: string): void {
  const words = new URL(socket.url()).searchParams.getAll('command');
  const at = words.indexOf('-C') + 1;
  const args = words.slice(1).map((word, index) => (index + 1 === at ? path.join(root, word) : word));
  const child = spawn('tar', args);
  const send = (channel: number, bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(channel), bytes]));
  child.stdout.on('data', (bytes) => send(1, bytes));
  child.stderr.on('data', (bytes) => send(2, bytes));
  child.on('close', (code) => {
    const status = code === 0 ? { status: 'Success' } : { status: 'Failure', message: `exit code ${code}` };
    send(3, Buffer.from(JSON.stringify(status)));
    void socket.close({ code: 1000 });
  });
  socket.onMessage((message) => {
    const bytes = Buffer.from(message as Buffer);
    if (bytes[0] === 0) child.stdin.write(bytes.subarray(1));
    else if (bytes[0] === 255 && bytes[1] === 0) child.stdin.end();
  });
}
