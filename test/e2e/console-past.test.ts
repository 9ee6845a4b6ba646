// The console's past in real Chromium, on a simulated cluster: the slider, and the limits of a user's rights.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';

const reason = notLong ?? whyNoBrowser();
const hostile = '<img src=x onerror="alert(1)">';
const map = (name: string, text: string) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } },
  data: { text },
});
const deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    ...{ replicas: 2, selector: { matchLabels: { app: 'web' } } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
  },
};

describe.skipIf(reason)(`the past in the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let admin: Visitor;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    admin = await visit(browser, link);
    await admin.page.locator('.sidebar').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => admin.page;
  const kubectl = (...words: string[]) => cluster.machine.kubectl(...words);
  const row = (name: string) => page().locator('.table-row', { hasText: name });
  const button = (name: string) => page().getByRole('button', { name, exact: true });
  const slider = () => page().getByRole('slider', { name: 'Moment' });
  const follow = (name: string) => page().locator('.sidebar').getByRole('link', { name, exact: true }).click();
  const pods = () => page().locator('.table-row', { hasText: 'web-' }).count();

  test('lists, objects and the picture show the cluster as it was', async () => {
    await cluster.machine.apply(map('early', 'first'), deployment, {
      ...{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'guest', namespace: 'default' } },
    });
    await kubectl('rollout', 'status', 'deployment/web');
    await kubectl('patch', 'configmap', 'early', '--type=merge', '-p', '{"data":{"text":"second"}}');
    await kubectl('scale', 'deployment', 'web', '--replicas=0');
    await kubectl('wait', 'pod', '-l', 'app=web', '--for=delete', '--timeout=60s');
    await kubectl('delete', 'configmap', 'early');
    await admin.go('/list/configmaps?filter=early');
    await page().getByText('None match the filter').waitFor();
    await button('History').click();
    await page()
      .getByText(/^Kept since /)
      .waitFor();
    await admin.picture('past-now');
    expect(await admin.barriers()).toEqual([]);

    await slider().focus();
    await page().keyboard.press('ArrowLeft'); // the state after the deletion is that of now
    await page().keyboard.press('ArrowLeft');
    await row('early').waitFor();
    await row('early').getByRole('link').click();
    await page().locator('pre', { hasText: 'second' }).waitFor();
    expect(await page().getByRole('toolbar', { name: 'early' }).count()).toBe(0);
    await button('Previous change').click();
    await page().locator('pre', { hasText: 'first' }).waitFor();
    await button('Previous change').click();
    await page().getByText('This object did not exist at this moment').waitFor();
    await button('Next change').click();
    await page().locator('pre', { hasText: 'first' }).waitFor();
    await admin.picture('past-object');
    expect(await admin.barriers()).toEqual([]);

    // The moment stays on the way to other views.
    await follow('Pods');
    await button('Previous change').waitFor();
    await slider().focus();
    await page().keyboard.press('End');
    await expect.poll(pods).toBe(0);
    for (let step = 0; step < 30 && (await pods()) !== 2; step++) {
      await button('Previous change').click();
      await page().waitForTimeout(150);
    }
    expect(await pods()).toBe(2);
    await follow('Architecture');
    await page()
      .getByText(/3 nodes, 2 pods/)
      .waitFor();
    await admin.picture('past-architecture');
    await button('Back to now').click();
    await page()
      .getByText(/3 nodes, 0 pods/)
      .waitFor();
  });

  test('the changes between two moments', async () => {
    await button('History').click();
    await button('History').click();
    await page().getByRole('link', { name: 'What changed' }).click();
    const kind = (name: string) => page().locator('.changed-kind', { has: page().getByRole('heading', { name }) });
    await kind('Deployments').getByRole('link', { name: 'web' }).waitFor();
    await kind('Nodes').getByText('3 added').waitFor();
    // It came and went.
    expect(await kind('ConfigMaps').getByText('early').count()).toBe(0);
    await kubectl('label', 'namespace', 'default', 'team=blue');
    await button('Read again').click();
    await kind('Namespaces').locator('.changed-object', { hasText: 'metadata.labels.team' }).waitFor();
    expect((await cluster.machine.tryKubectl(['delete', 'deployment', 'web', '--as=jane'])).code).toBe(1);
    const refused = page().locator('.changed-kind', { has: page().getByRole('heading', { name: 'Refused writes' }) });
    await button('Read again').click();
    await refused.getByText('jane', { exact: true }).waitFor();
    await refused.getByText('Refused by authorization').waitFor();
    await admin.picture('past-changes');
    expect(await admin.barriers()).toEqual([]);
    // From the end on, nothing has changed.
    await page().getByRole('slider', { name: 'From' }).focus();
    await page().keyboard.press('End');
    await page().getByText('Nothing changed between these moments').waitFor();
    await page().keyboard.press('Home');
    await kind('Namespaces').getByText('blue').waitFor();
  });

  test('the timeline of an object begins before its page was opened', async () => {
    await admin.go('/object/configmaps/default/early');
    const moment = (text: string | RegExp) => page().locator('.moment', { hasText: text });
    await page().getByText('This object does not exist').waitFor();
    await moment('first').getByText('second').waitFor();
    await page().locator('.moment.deletion', { hasText: 'kubernetes-admin' }).waitFor();
    expect(await page().locator('.moment.change strong').allTextContents()).toEqual(['Deleted', 'Changed', 'Created']);
    await moment('first').getByRole('button', { name: 'Show this moment' }).click();
    await page().locator('pre', { hasText: 'second' }).waitFor();
    await button('Back to now').click();
    await button('History').click();
    await admin.go('/object/deployments.apps/default/web/why');
    await moment('0 replicas are wanted instead of 2').getByText('kubectl').waitFor();
    await moment('ScalingReplicaSet').first().waitFor();
    await moment('Refused by authorization').getByText('jane · delete').waitFor();
    await admin.picture('past-timeline');
    expect(await admin.barriers()).toEqual([]);
  });

  test('the slider follows the pointer', async () => {
    await follow('Pods');
    await button('History').click();
    await page().getByText('There are none').waitFor();
    const box = await slider().boundingBox();
    if (!box) throw new Error('there is no slider');
    await page().mouse.click(box.x + box.width * 0.7, box.y + box.height / 2);
    await button('Back to now').waitFor();
    await page().mouse.click(box.x + 10, box.y + box.height / 2);
    await page().getByText('There are none').waitFor();
    await button('Back to now').click();
    await button('Back to now').waitFor({ state: 'detached' });
    await button('History').click();
  });

  test('the past shows no more than its user may list and watch', async () => {
    await kubectl('create', 'role', 'lists', '--verb=list', '--resource=pods');
    await kubectl('create', 'role', 'watches', '--verb=list,watch', '--resource=configmaps');
    for (const role of ['lists', 'watches'])
      await kubectl('create', 'rolebinding', role, `--role=${role}`, '--serviceaccount=default:guest');
    await cluster.machine.apply(map('hostile', hostile));
    const token = (await kubectl('create', 'token', 'guest')).trim();
    const guest = await visit(browser, `${new URL(page().url()).origin}/console/`, {
      colorScheme: 'dark',
      viewport: { width: 390, height: 800 },
    });
    await guest.page.getByRole('textbox').fill(token);
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.getByRole('button', { name: 'History' }).click();
    await guest.page.getByText(/you may not list pods/).waitFor();
    await guest.page.evaluate(`localStorage.setItem('coracle.namespace', 'default')`);
    for (const [kind, text] of [
      ['pods', /you may not watch pods/],
      ['secrets', /you may not list secrets/],
      ['configmaps', /^Kept since /],
    ] as const) {
      await guest.go(`/list/${kind}`);
      await guest.page.getByRole('button', { name: 'History' }).click();
      await guest.page.getByText(text).waitFor();
    }
    await guest.page.getByRole('button', { name: 'Previous change' }).click();
    await guest.page.locator('.table-row', { hasText: 'hostile' }).waitFor();
    expect(await guest.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await guest.picture('past-phone');
    expect(await guest.barriers()).toEqual([]);
    expect([...guest.faults, ...admin.faults]).toEqual([]);
    await guest.context.close();
  });
});
