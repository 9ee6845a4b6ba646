// Usage, who can, and releases of Helm in real Chromium, on a simulated cluster.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';
import { checkout, whyNot } from './machine.ts';

const helm = path.join(checkout, '.cache/tools/helm');
const reason = notLong ?? whyNoBrowser() ?? whyNot(helm);
const hostile = '<img src=x onerror="alert(1)">';
const usage = {
  'simulated.coracle.local/cpu-millicores': '1500',
  'simulated.coracle.local/memory-bytes': String(300 * 2 ** 20),
};
const metadata = { name: 'web', namespace: 'default' };
const bomb = Buffer.from(gzipSync(Buffer.alloc(64 << 20)).toString('base64')).toString('base64');
const objects = [
  {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations: usage } },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: 'reader' } },
  {
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { ...metadata, name: 'readers' } },
    subjects: [
      { kind: 'ServiceAccount', name: 'reader', namespace: 'default' },
      { kind: 'User', name: hostile, apiGroup: 'rbac.authorization.k8s.io' },
    ],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  },
  {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'helm.sh/release.v1', data: { release: bomb } },
    metadata: {
      ...{ name: 'sh.helm.release.v1.bomb.v1', namespace: 'default' },
      labels: { owner: 'helm', name: 'bomb', version: '1', status: 'deployed' },
    },
  },
];

describe.skipIf(reason)(`tools of the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let admin: Visitor;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    await cluster.machine.apply(...objects);
    await cluster.machine.kubectl('wait', 'pod/web', '--for=condition=Ready', '--timeout=20s');
    // From now on the server keeps the usage: there is a line in half a minute, when the other tests are done.
    await cluster.machine.kubectl('get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes');
    admin = await visit(browser, link);
    await admin.page.locator('.sidebar').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => admin.page;
  const row = (name: string) => page().locator('.tool-table tbody tr', { hasText: name });

  test('who can: subjects with their binding and role', async () => {
    await admin.go('/who-can?verb=get&resource=pods%2Flog&in=default');
    await row('default/reader').getByText('readers').waitFor();
    await row('default/reader').getByText('view').waitFor();
    await row('<img src=x').waitFor();
    await row('system:masters').getByText('cluster-admin').first().waitFor();
    await page().getByLabel('Verb').fill('delete');
    await page().keyboard.press('Enter');
    await expect.poll(() => row('default/reader').count()).toBe(0);
    expect(new URL(page().url()).searchParams.get('verb')).toBe('delete');
    await admin.picture('who-can');
    expect(await admin.barriers()).toEqual([]);
  });

  test('a user who may not list roles learns that the answer is incomplete', async () => {
    const token = (await cluster.machine.kubectl('create', 'token', 'reader')).trim();
    const reader = await visit(browser, `${new URL(page().url()).origin}/console/`, { colorScheme: 'dark' });
    await reader.page.getByRole('textbox').fill(token);
    await reader.page.getByRole('button', { name: 'Sign in' }).click();
    await reader.page.locator('.sidebar').waitFor();
    await reader.go('/who-can?in=default');
    await reader.page.getByText('clusterrolebindings cannot be listed: the answer is incomplete').waitFor();
    await reader.page.getByText('No role that you may read allows it').waitFor();
    await reader.go('/helm');
    await reader.page.getByText(/cannot list resource "secrets"/).waitFor();
    await reader.go('/top?of=nodes');
    await reader.page.getByText(/cannot list resource "nodes"/).waitFor();
    await reader.picture('top-forbidden');
    await reader.context.close();
  });

  test('helm: releases, their revisions, values, notes and manifests; a bomb is refused', async () => {
    const { machine } = cluster;
    const chart = path.join(machine.directory, 'shop');
    mkdirSync(path.join(chart, 'templates'), { recursive: true });
    writeFileSync(path.join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: "9"\n');
    writeFileSync(path.join(chart, 'values.yaml'), 'greeting: hello\n');
    writeFileSync(
      path.join(chart, 'templates/map.yaml'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ .Values.greeting | quote }}\n',
    );
    writeFileSync(path.join(chart, 'templates/NOTES.txt'), `Thank you. ${hostile}\n`);
    for (const words of [['install'], ['upgrade', '--set', 'greeting=moin']]) {
      const { code, stderr } = await machine.run(helm, [...words, 'corner', chart]);
      expect(code, stderr).toBe(0);
    }
    await admin.go('/helm');
    await row('corner').getByText('deployed').waitFor();
    await page().getByRole('link', { name: 'corner' }).click();
    await page().locator('pre', { hasText: 'greeting: moin' }).waitFor();
    await page().getByText('shop 1.2.3').waitFor();
    await page().getByRole('button', { name: 'Manifest' }).click();
    await page().locator('pre', { hasText: 'text: "moin"' }).waitFor();
    await page().getByRole('button', { name: 'Notes' }).click();
    await page().locator('pre', { hasText: 'Thank you. <img' }).waitFor();
    await page().getByLabel('Revision').selectOption('1');
    await page().getByRole('button', { name: 'Manifest' }).click();
    await page().locator('pre', { hasText: 'text: "hello"' }).waitFor();
    await admin.picture('helm');
    expect(await admin.barriers()).toEqual([]);
    await admin.go('/helm/default/bomb');
    await page().getByText('more than 32 MiB').waitFor();
    expect(admin.faults).toEqual([]);
  });

  test('usage: pods and nodes, with a line over time', async () => {
    await admin.go('/top?of=pods');
    await row('web').getByText('1.5', { exact: true }).waitFor({ timeout: 20_000 });
    await row('web').getByText('300 MiB').waitFor();
    await row('web').locator('.sparkline-line').first().waitFor({ state: 'attached', timeout: 25_000 });
    await page().getByRole('button', { name: 'Nodes' }).click();
    await page().locator('.tool-table tbody tr').nth(2).waitFor();
    await page().getByText(/ %/).first().waitFor();
    // Another page begins with the history of the server.
    await page().reload();
    await page().locator('.sparkline-line').first().waitFor({ state: 'attached', timeout: 5_000 });
    await admin.picture('top');
    expect(await admin.barriers()).toEqual([]);
  });

  test('on a phone, in German', async () => {
    const phone = await visit(browser, await cluster.link(), {
      viewport: { width: 390, height: 800 },
      locale: 'de-DE',
    });
    await phone.page.getByRole('button', { name: 'Menü' }).waitFor();
    for (const place of ['/top?of=pods', '/who-can', '/helm/default/corner']) {
      await phone.go(place);
      await phone.page.locator('.tool-page').waitFor();
      await phone.page.locator('.tool-table, pre').first().waitFor();
      expect(await phone.page.evaluate('document.documentElement.scrollWidth'), place).toBeLessThanOrEqual(390);
      await phone.picture(`phone${place.split('?')[0].replaceAll('/', '-')}`);
    }
    expect(await phone.barriers()).toEqual([]);
    await phone.context.close();
  });
});
