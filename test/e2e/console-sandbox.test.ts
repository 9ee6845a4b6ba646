// The sandbox: the console of a cluster with real nodes starts a simulated cluster beside it.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRunning, readIdentity } from '../../src/cluster/process/process-identity.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';

const reason = whyNoBrowser();

describe.skipIf(reason)(`the sandbox of the console${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let user: Visitor;
  let data: string;

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    data = path.join(cluster.machine.directory, 'data');
    const parts = ['--runtime', 'native', '--components', 'kube-apiserver,console'];
    const [link, started] = await Promise.all([cluster.up(parts), cluster.browser()]);
    browser = started;
    user = await visit(browser, link);
    await user.page.locator('.sidebar').getByRole('link', { name: 'Lab' }).click();
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.down();
    cluster?.dispose();
  });

  const button = (name: string) => user.page.getByRole('button', { name, exact: true });
  const sandbox = () => path.join(data, 'sandbox');
  const process = () => readIdentity(path.join(sandbox(), 'run.json'));
  async function open(): Promise<void> {
    await button('Open a sandbox').click();
    await user.page.getByRole('link', { name: 'Go to the sandbox' }).waitFor();
  }

  test('it opens in its own console, with a lab, and is removed with its data', async () => {
    await open();
    await user.page.getByText(`export KUBECONFIG=${sandbox()}/kubeconfig`).waitFor();
    await user.picture('sandbox');
    expect(await user.barriers()).toEqual([]);
    const opening = user.context.waitForEvent('page');
    await user.page.getByRole('link', { name: 'Go to the sandbox' }).click();
    const lab = await opening;
    await lab.getByRole('link', { name: 'Lab' }).click();
    await lab.getByText('Time of the cluster').waitFor();
    await lab.close();
    await button('A new link').waitFor();
    const running = await process();
    await button('Remove the sandbox').click();
    await button('Open a sandbox').waitFor();
    expect(existsSync(sandbox())).toBe(false);
    expect(running && (await isRunning(running))).toBe(false);
    expect(user.faults).toEqual([]);
  });

  test('it ends with its cluster, also with one that was killed', async () => {
    await open();
    const running = await process();
    expect(running && (await isRunning(running))).toBe(true);
    const { pid } = JSON.parse(readFileSync(path.join(data, 'run.json'), 'utf8'));
    globalThis.process.kill(pid, 'SIGKILL');
    await cluster.down();
    expect(running && (await isRunning(running))).toBe(false);
    expect(existsSync(sandbox())).toBe(false);
  });
});
