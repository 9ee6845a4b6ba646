// The way of a new user in real Chromium, without a terminal: from the link that `up` prints to a crash loop, its cause,
// and its end.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';

const reason = whyNoBrowser();
const broken = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels:
        app: shop
      annotations:
        simulated.coracle.local/output: "FATAL there is no database at db:5433"
        simulated.coracle.local/run-ms: "50"
        simulated.coracle.local/exit-code: "3"
    spec:
      containers:
      - name: shop
        image: shop:1
`;

describe.skipIf(reason)(`a new user of the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let user: Visitor;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    user = await visit(browser, link);
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  test('creates a Deployment, finds why it crashes, and mends it', async () => {
    const { page } = user;
    const button = (name: string) => page.getByRole('button', { name, exact: true });
    const menu = (name: string) => page.locator('.sidebar').getByRole('link', { name, exact: true });
    const pod = page.locator('.table-row', { hasText: 'shop-' });

    await page.getByRole('link', { name: 'Create' }).click();
    await page.locator('.cm-content').click();
    await page.keyboard.press('Control+a');
    await user.paste('.cm-content', broken);
    await button('Review').click();
    await page.getByText('will be created').waitFor();
    await button('Apply').click();
    await page.getByText('Applied 1 object').waitFor();

    await menu('Pods').click();
    await pod.getByText(/CrashLoopBackOff|Error/).waitFor();
    await user.picture('newcomer-crash');
    await pod.getByRole('link').click();
    await page.getByRole('tab', { name: 'Why' }).click();
    await page
      .getByText(/Back-off restarting failed container/)
      .first()
      .waitFor();
    await page.locator('.moment.log', { hasText: 'there is no database at db:5433' }).first().waitFor();
    await user.picture('newcomer-why');
    expect(await user.barriers()).toEqual([]);
    await page.getByRole('tab', { name: 'Logs' }).click();
    await page.locator('.log-text', { hasText: 'there is no database at db:5433' }).first().waitFor();

    await menu('Deployments').click();
    await page.locator('.table-row', { hasText: 'shop' }).getByRole('link').click();
    await button('Edit').click();
    for (const text of ['run-ms', 'exit-code']) {
      await page.locator('.cm-line', { hasText: `local/${text}` }).click();
      await page.keyboard.press('Control+Shift+k');
      await expect.poll(() => page.locator('.cm-line', { hasText: `local/${text}` }).count()).toBe(0);
    }
    await button('Review').click();
    await page.locator('.diff-line.removed', { hasText: 'exit-code' }).waitFor();
    await button('Save').click();
    await page.getByText('Saved', { exact: true }).waitFor();

    await menu('Pods').click();
    await pod.getByText('Running').waitFor();
    await expect.poll(() => pod.count()).toBe(1);
    await pod.getByText('1/1').waitFor();
    await user.picture('newcomer-mended');
    expect(user.faults).toEqual([]);
  });
});
