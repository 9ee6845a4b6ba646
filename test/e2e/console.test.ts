// The console in real Chromium, on a simulated cluster.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';

const reason = whyNoBrowser();
const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>\u202e';
const labels = { app: 'web' };
const container = { name: 'c', image: 'nginx' };

const metadata = { name: 'web', namespace: 'default' };
const objects = [
  {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    metadata: { ...metadata, annotations: { note: hostile } },
    spec: {
      ...{ replicas: 3, selector: { matchLabels: labels } },
      template: {
        metadata: { labels, annotations: { 'simulated.coracle.local/output': `${hostile}\u001b]0;x\u0007` } },
        spec: { containers: [container] },
      },
    },
  },
  {
    ...{ apiVersion: 'v1', kind: 'Service', metadata },
    spec: { type: 'LoadBalancer', selector: labels, ports: [{ port: 80 }], loadBalancerSourceRanges: ['10.0.0.0/8'] },
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: 'hostile' }, data: { text: hostile } },
  {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'huge' } },
    spec: { containers: [{ ...container, resources: { requests: { cpu: '10000' } } }] },
  },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, name: 'guest' } },
];

describe.skipIf(reason)(`the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let admin: Visitor;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    await cluster.machine.apply(...objects);
    admin = await visit(browser, link);
    await admin.page.locator('.sidebar').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => admin.page;
  const kubectl = (...words: string[]) => cluster.machine.kubectl(...words);
  const replicas = () => cluster.field('deployment', 'web', '.spec.replicas');
  const row = (name: string) => page().locator('.table-row', { hasText: name });
  const button = (name: string) => page().getByRole('button', { name, exact: true });

  test('the link signs in once, and leaves the address', async () => {
    expect(page().url()).toMatch(/\/console\/$/);
    expect(await page().locator('.user-name').textContent()).toBe('kubernetes-admin');
    expect(await page().evaluate('document.cookie')).toBe('');
    const used = await cluster.link();
    const first = await visit(browser, used);
    await first.page.locator('.sidebar').waitFor();
    const second = await visit(browser, used);
    await second.page.getByText('This link was used before').waitFor();
    await Promise.all([first.context.close(), second.context.close()]);
  });

  test('the architecture shows nodes with their pods, and rates', async () => {
    const answered = await page().waitForResponse((response) => new URL(response.url()).pathname.endsWith('/metrics'));
    // All of the server's metrics have more than a megabyte: an open page may not cost the server its time.
    expect((await answered.body()).length).toBeLessThan(100_000);
    await page().locator('.node-card').nth(2).waitFor();
    await page().getByText('Without a node').waitFor();
    await page().locator('[data-part=apiserver] .metric').first().waitFor();
    await page().getByRole('button', { name: 'API server' }).click();
    await page()
      .getByText(/checks pass/)
      .waitFor();
    await admin.picture('architecture');
    expect(await admin.barriers()).toEqual([]);
  });

  test('lists are live, filtered and sorted', async () => {
    await admin.go('/list/pods?filter=app%3Dweb');
    await row('web-').nth(2).waitFor();
    await kubectl('patch', 'deployment', 'web', '--type=merge', '-p', '{"spec":{"replicas":4}}');
    await row('web-').nth(3).waitFor();
    await page().getByLabel('Filter').fill('huge');
    await row('huge').waitFor();
    expect(await row('web-').count()).toBe(0);
    await row('huge').getByText('Pending').waitFor();
    expect(await admin.barriers()).toEqual([]);
    await admin.picture('list');
  });

  longTest('keys: filter, move, open, search', async () => {
    await admin.go('/list/configmaps');
    await row('hostile').waitFor();
    await page().keyboard.press('/');
    await page().keyboard.type('hostile');
    await expect.poll(() => page().locator('.table-row').count()).toBe(1);
    await page().keyboard.press('Escape');
    await page().keyboard.press('j');
    await page().locator('.table-row.active', { hasText: 'hostile' }).waitFor();
    await page().keyboard.press('Enter');
    await page().getByRole('heading', { name: 'hostile' }).waitFor();
    await page().keyboard.press('Control+k');
    await page().keyboard.type('statefuls');
    await page()
      .getByRole('option', { name: /StatefulSets/ })
      .waitFor();
    await page().keyboard.press('Enter');
    await page().getByRole('heading', { name: 'StatefulSets' }).waitFor();
    await page().getByText('There are none').waitFor();
  });

  test('hostile texts are texts', async () => {
    await admin.go('/object/configmaps/default/hostile');
    await page().locator('pre', { hasText: '<script>alert(2)</script>' }).waitFor();
    expect(await admin.barriers()).toEqual([]);
    await admin.go('/object/deployments.apps/default/web/logs');
    await page().locator('.log-text', { hasText: '<img src=x' }).first().waitFor();
    const log = (await page().locator('.log-view').textContent()) ?? '';
    expect(['\u001b', '\u0007', '\u202e'].filter((char) => log.includes(char))).toEqual([]);
    await admin.go('/object/deployments.apps/default/web');
    await page().locator('.pair-value', { hasText: /^<img/ }).waitFor();
    await admin.go('/list/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E?filter=%3Cscript%3Ealert(1)%3C%2Fscript%3E');
    await page().getByText('The server has no kind <img').waitFor();
    expect(await page().locator('img, script:not([src])').count()).toBe(0);
    expect(admin.faults).toEqual([]);
  });

  test('edits with a look at the differences', async () => {
    await admin.go('/object/deployments.apps/default/web/yaml?edit=1');
    const line = page().locator('.cm-line', { hasText: 'replicas: 4' });
    await line.waitFor();
    expect(await admin.barriers()).toEqual([]);
    await line.click();
    await page().keyboard.press('End');
    await page().keyboard.press('Backspace');
    await page().keyboard.type('2');
    await button('Review').click();
    await page().locator('.diff-line.added', { hasText: 'replicas: 2' }).waitFor();
    await page().locator('.diff-line.removed', { hasText: 'replicas: 4' }).waitFor();
    expect(await replicas()).toBe('4');
    await admin.picture('edit');
    await button('Save').click();
    await page().getByText('Saved', { exact: true }).waitFor();
    expect(await replicas()).toBe('2');
  });

  test('server-side apply shows conflicts by their manager', async () => {
    await kubectl('scale', 'deployment', 'web', '--replicas=5');
    await admin.go('/create');
    await page().locator('.cm-content').click();
    await page().keyboard.press('Control+a');
    await admin.paste(
      '.cm-content',
      `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: fresh
`,
    );
    await button('Review').click();
    await page().getByText('kubectl owns these fields:').waitFor();
    await page().getByText('.spec.replicas').waitFor();
    await button('Take these fields over').click();
    await page().getByText('will be created').waitFor();
    await button('Apply').click();
    await page().getByText('Applied 2 objects').waitFor();
    expect(await replicas()).toBe('1');
    expect(await cluster.field('configmap', 'fresh', '.metadata.name')).toBe('fresh');
  });

  test('why: the scheduler, events, and changes with their managers', async () => {
    await admin.go('/object/pods/default/huge/why');
    await page().getByText('Insufficient cpu').first().waitFor();
    await page().getByRole('heading', { name: 'Filtered out' }).waitFor();
    await admin.go('/object/deployments.apps/default/web/why');
    await page().getByText('coracle-console').first().waitFor();
    await kubectl(
      'patch',
      'deployment',
      'web',
      '--type=merge',
      '-p',
      '{"spec":{"replicas":3}}',
      '--field-manager=someone',
    );
    await page().locator('.moment.change', { hasText: 'spec.replicas' }).first().waitFor();
    await page().locator('.moment.change', { hasText: 'someone' }).first().waitFor();
    await admin.picture('why');
  });

  test('traffic: the path, and the rule that refuses an address', async () => {
    await admin.go('/traffic/default/web');
    await page().locator('.hop-pod a').first().waitFor();
    await page().getByLabel('From').fill('192.0.2.9');
    await page().keyboard.press('Enter');
    await page()
      .getByText(/192\.0\.2\.9 is in none of/)
      .waitFor();
    await admin.picture('traffic');
    expect(await admin.barriers()).toEqual([]);
  });

  longTest('cordons, scales and deletes', async () => {
    const node = await kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
    await admin.go(`/object/nodes/-/${node}`);
    await button('Cordon').click();
    await button('Uncordon').waitFor();
    expect(await cluster.field('node', node, '.spec.unschedulable')).toBe('true');
    await admin.go('/object/deployments.apps/default/web');
    await button('Scale').click();
    await page().getByRole('spinbutton').fill('2');
    await page().getByRole('dialog').getByRole('button', { name: 'Scale' }).click();
    await page().getByText('web scales to 2').waitFor();
    await button('Delete').click();
    await page()
      .getByText(/This also deletes \d+ owned objects/)
      .waitFor();
    await page().getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page().getByText('Deleted 1').waitFor();
    expect((await cluster.machine.tryKubectl(['get', 'deployment', 'web'])).code).toBe(1);
  });

  test('a token has the rights of its user, and no more', async () => {
    const token = (await kubectl('create', 'token', 'guest')).trim();
    const guest = await visit(browser, `${new URL(page().url()).origin}/console/`, { colorScheme: 'dark' });
    await guest.page.getByRole('button', { name: 'Sign in' }).isDisabled();
    await guest.page.getByRole('textbox').fill('wrong');
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.getByText('The server does not accept this token').waitFor();
    await guest.page.getByRole('textbox').fill(token);
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.locator('.sidebar').waitFor();
    await guest.page.getByText('The metrics cannot be read').waitFor();
    await guest.go('/list/secrets');
    await guest.page.getByText('You may not list these').waitFor();
    await guest.picture('forbidden');
    expect(await guest.barriers()).toEqual([]);
    expect(guest.faults).toEqual([]);
    await guest.context.close();
  });

  longTest('on a phone, in Korean', async () => {
    const phone = await visit(browser, await cluster.link(), {
      viewport: { width: 390, height: 800 },
      locale: 'ko-KR',
    });
    await phone.page.getByRole('button', { name: '메뉴' }).click();
    await phone.page.getByRole('link', { name: 'ConfigMaps' }).or(phone.page.getByText('구성')).first().click();
    await phone.go('/list/pods');
    await phone.page.locator('.table-row', { hasText: 'huge' }).waitFor();
    expect(await phone.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await phone.picture('phone');
    expect(await phone.barriers()).toEqual([]);
    await phone.context.close();
  });

  test('signing out ends all tabs and their watches', async () => {
    const first = await visit(browser, await cluster.link());
    await first.page.locator('.sidebar').waitFor();
    await first.go('/list/pods');
    await first.page.locator('.table-row', { hasText: 'huge' }).waitFor();
    const other = await first.context.newPage();
    await other.goto(first.page.url());
    await other.locator('.user-name').click();
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('button', { name: 'Sign in' }).waitFor();
    await first.page.getByText('Your session has ended').waitFor();
    await first.context.close();
  });

  longTest('the server goes, and comes back', async () => {
    await admin.go('/list/pods');
    await row('huge').waitFor();
    await cluster.down();
    await page().getByText('The server does not answer. Rows may be old').waitFor();
    expect(await row('huge').count()).toBe(1);
    await admin.picture('stale');
    const link = await cluster.up();
    await page().getByText('Your session has ended').waitFor();
    await page().goto(link);
    await page().locator('.sidebar').waitFor();
    await admin.go('/list/pods');
    await row('huge').waitFor();
    expect(admin.faults).toEqual([]);
  });
});
