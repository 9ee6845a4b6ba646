// The lab of a simulated cluster in real Chromium, and every lesson, step by step, with real kubectl.

import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holds } from '../../src/dashboard/web/lab/check.ts';
import { changeFor, type LabChange, type Lesson, type Step, withNode } from '../../src/dashboard/web/lab/lesson.ts';
import { lessons } from '../../src/dashboard/web/lab/lessons.ts';
import { isLong, longTest } from '../long/long.ts';
import { ConsoleCluster, type Visitor, visit, whyNoBrowser } from './console-browser.ts';
import { eventually, type Result } from './machine.ts';

const reason = whyNoBrowser();
/** `coracle test --long` walks them all. */
const shortLessons = new Set(['deploy', 'autoscale']);

describe.skipIf(reason)(`the lab${reason ? `: ${reason}` : ''}`, () => {
  let cluster: ConsoleCluster;
  let browser: Browser;
  let admin: Visitor;
  let node = '';

  beforeAll(async () => {
    cluster = new ConsoleCluster();
    const [link, started] = await Promise.all([cluster.up(), cluster.browser()]);
    browser = started;
    admin = await visit(browser, link);
    await admin.page.locator('.sidebar').waitFor();
    const nodes = await cluster.machine.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}');
    node = nodes.split(' ').sort()[0];
  });
  afterAll(async () => {
    await browser?.close();
    cluster?.dispose();
  });

  const page = () => admin.page;
  const button = (name: string) => page().getByRole('button', { name, exact: true });
  const kubectl = (...words: string[]) => cluster.machine.kubectl(...words);
  const condition = (type: string) => cluster.field('node', node, `.status.conditions[?(@.type=="${type}")].status`);

  test('a lesson in the page: its steps are done when their checks are true', async () => {
    await admin.go('/lab');
    await page().getByText('Five minutes in five seconds').waitFor();
    await admin.picture('lab');
    expect(await admin.barriers()).toEqual([]);
    await page().locator('.lesson-card', { hasText: 'keeps a number of pods running' }).click();
    await page().locator('.step.current', { hasText: 'Create a Deployment' }).waitFor();
    await button('Apply').click();
    await page().locator('.step.current', { hasText: 'Scale it to five' }).waitFor();
    await page().getByText('kubectl scale deployment hello --replicas=5').waitFor();
    await admin.picture('lesson');
    expect(await admin.barriers()).toEqual([]);
    await kubectl('scale', 'deployment', 'hello', '--replicas=5');
    await page().getByText('Done. These commands').waitFor();
    await kubectl('delete', 'deployment', 'hello');
  });

  test('time goes faster, and is held', async () => {
    await admin.go('/lab');
    await button('Hold time').click();
    const held = await page().locator('.lab-clock').textContent();
    const created = async (name: string) => {
      await kubectl('create', 'configmap', name);
      return Date.parse(await cluster.field('configmap', name, '.metadata.creationTimestamp'));
    };
    const first = await created('held-1');
    expect(await created('held-2')).toBe(first);
    expect(held).not.toBe('');
    await button('600×').click();
    await expect
      .poll(async () => (await created(`fast-${performance.now() | 0}`)) - first, { timeout: 10_000 })
      .toBeGreaterThan(60_000);
    await button('1×').click();
  });

  longTest('a full disk makes pressure, and an emptied one ends it', async () => {
    await admin.go('/lab');
    await page()
      .getByRole('button', { name: `Disk full ${node}` })
      .click();
    await button('60×').click();
    await expect.poll(() => condition('DiskPressure'), { timeout: 15_000 }).toBe('True');
    await admin.picture('lab-full');
    await page()
      .getByRole('button', { name: `Disk full ${node}` })
      .click();
    await expect.poll(() => condition('DiskPressure'), { timeout: 15_000 }).toBe('False');
    await button('1×').click();
  });

  longTest('other users may not change it', async () => {
    await kubectl('create', 'serviceaccount', 'guest');
    await kubectl('create', 'clusterrolebinding', 'guest', '--clusterrole=edit', '--serviceaccount=default:guest');
    const token = (await kubectl('create', 'token', 'guest')).trim();
    const guest = await visit(browser, `${new URL(page().url()).origin}/console/`, { colorScheme: 'dark' });
    await guest.page.getByRole('textbox').fill(token);
    await guest.page.getByRole('button', { name: 'Sign in' }).click();
    await guest.page.locator('.sidebar').waitFor();
    await guest.go('/lab');
    await guest.page.getByText('the lab is for administrators of the cluster').waitFor();
    expect(await sent(guest, { pace: 60 })).toBe(403);
    expect(await sent(admin, { pace: 1 })).toBe(200);
    await guest.picture('lab-guest');
    await guest.context.close();
  });

  longTest('on a phone, in Korean', async () => {
    const phone = await visit(browser, await cluster.link(), {
      viewport: { width: 390, height: 800 },
      locale: 'ko-KR',
    });
    await phone.page.getByRole('button', { name: '메뉴' }).waitFor();
    await phone.go('/lab/evict');
    await phone.page.getByText('5초 안의 5분').waitFor();
    expect(await phone.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await phone.picture('phone-lab');
    expect(await phone.barriers()).toEqual([]);
    await phone.context.close();
  });

  test.each(lessons.filter(({ id }) => isLong || shortLessons.has(id)))('lesson: $id', (lesson) => walk(lesson));

  async function walk({ steps, cleanup }: Lesson): Promise<void> {
    for (const step of steps) {
      expect(await isDone(step), `before "${step.text['en']}"`).toBe(false);
      if (step.manifest) {
        const { code, stderr } = await cluster.machine.tryKubectl(['apply', '-f', '-'], withNode(step.manifest, node));
        expect(code, stderr).toBe(0);
      }
      for (const command of step.run) await run(withNode(command, node));
      for (const change of step.lab) expect(await sent(admin, changeFor(change, node))).toBe(200);
      await eventually(async () => expect(await isDone(step), step.text['en']).toBe(true), 18_000);
    }
    for (const command of cleanup) await run(command);
  }

  async function run(line: string): Promise<void> {
    const isRefused = line.startsWith('! ');
    const [program, ...words] = line.replace(/^! /, '').split(' ');
    const { code, stdout, stderr } =
      program === 'kubectl' ? await cluster.machine.tryKubectl(words) : await coracle(words);
    expect(code === 0, `${line}\n${stdout}${stderr}`).toBe(!isRefused);
  }

  async function coracle(words: readonly string[]): Promise<Result> {
    const file = path.join(cluster.machine.directory, 'lesson.backup');
    if (words[0] !== 'up') return cluster.coracle(words.map((word) => (word === 'lesson.backup' ? file : word)));
    const link = await cluster.up();
    await page().goto(link);
    await page().locator('.sidebar').waitFor();
    return { code: 0, stdout: '', stderr: '' };
  }

  async function isDone({ objects, check }: Step): Promise<boolean> {
    const lists: Record<string, unknown> = {};
    for (const [name, at] of Object.entries(objects)) lists[name] = JSON.parse(await kubectl('get', '--raw', at)).items;
    return holds(check, { ...lists, node, pace: await pace() });
  }

  const pace = (): Promise<number> =>
    page().evaluate(async () => {
      const headers = { 'X-Coracle-Key': localStorage.getItem('coracle.key') ?? '' };
      const { pace: found } = (await (await fetch('/console/insights/lab', { headers })).json()) as { pace: number };
      return found;
    });

  /** The status of the answer to a change, from the page of a user. */
  const sent = (visitor: Visitor, change: LabChange): Promise<number> =>
    visitor.page.evaluate(async (body) => {
      const headers = {
        'X-Coracle-Key': localStorage.getItem('coracle.key') ?? '',
        'Content-Type': 'application/json',
      };
      return (await fetch('/console/insights/lab', { method: 'POST', headers, body })).status;
    }, JSON.stringify(change));
});
