// Every page of the console on a phone in the dark, and on a wide screen in the light: no error of a script, no barrier of
// WCAG 2.2 AA, nothing wider than the screen.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { isLong, longTest } from '../long/long.ts';
import { ConsoleCluster, visit, whyNoBrowser } from './console-browser.ts';

const reason = whyNoBrowser();
const labels = { app: 'web' };
const metadata = { name: 'web', namespace: 'default', labels };
const containers = [{ name: 'web', image: 'nginx', ports: [{ containerPort: 80 }] }];
const objects = [
  {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  },
  { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' }, spec: { containers } },
  { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80 }] } },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' } },
  { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { a: 'b' } },
];
const tabs = ['', '/why', '/yaml', '/events'];
const pages = [
  ...['/', '/map', '/traffic', '/traffic/default/web', '/create', '/top', '/who-can', '/changes', '/helm', '/lab'],
  ...['/lab/evict', '/nowhere', '/object/pods/default/gone'],
  ...['pods', 'nodes', 'services', 'events', 'deployments.apps', 'clusterroles.rbac.authorization.k8s.io'].map(
    (kind) => `/list/${kind}`,
  ),
  ...tabs.map((tab) => `/object/deployments.apps/default/web${tab}`),
  ...[...tabs, '/logs', '/terminal'].map((tab) => `/object/pods/default/web${tab}`),
  ...['services', 'configmaps', 'secrets'].map((kind) => `/object/${kind}/default/web`),
];

describe.skipIf(reason ?? !isLong)(`every page${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    [, browser] = await Promise.all([cluster.up(), cluster.browser()]);
    await cluster.machine.apply(...objects);
    await cluster.machine.kubectl('wait', 'pod/web', '--for=condition=Ready', '--timeout=20s');
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  longTest.each([
    ['on a phone, in the dark', 390, 'dark'],
    ['on a wide screen, in the light', 1600, 'light'],
  ] as const)('%s', { timeout: 180_000 }, async (_, width, colorScheme) => {
    const user = await visit(browser, await cluster.link(), { colorScheme, viewport: { width, height: 800 } });
    await user.page.locator('main').waitFor();
    const barriers: Record<string, string[]> = {};
    for (const page of pages) {
      await user.go(page);
      await user.page.locator('main h1, main .notice, main canvas, main section').first().waitFor();
      // Watches never end: there is no idle network to wait for.
      await user.page.waitForTimeout(700);
      const found = await user.barriers();
      if (found.length > 0) barriers[page] = found;
      expect(await user.page.evaluate('document.documentElement.scrollWidth'), page).toBeLessThanOrEqual(width);
    }
    expect(barriers).toEqual({});
    expect(user.faults).toEqual([]);
    await user.context.close();
  });
});
