// Large clusters in real Chromium: the map of 10,000 pods and a list of 100,000, while 100 of them change each second. The
// limits are far from those of an idle machine, and a page that draws everything is far beyond them.

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { type Visitor, visit } from './console-browser.ts';
import { ConsoleSource } from './console-source.ts';

const program = '/usr/bin/chromium';
const reason = notLong ?? (existsSync(program) ? undefined : `not installed: ${program}`);
/** Programs of the page run for so long. */
const measuredMs = 2_500;

interface Measured {
  readonly frames: number;
  /** Milliseconds from frame to frame. */
  readonly median: number;
  readonly longest: number;
}

/** Calls `act` in each frame. */
const measure = (visitor: Visitor, act = ''): Promise<Measured> =>
  visitor.page.evaluate(`new Promise((resolve) => {
    const times = [];
    const begin = performance.now();
    let last = begin;
    const step = () => {
      const now = performance.now();
      times.push(now - last);
      last = now;
      ${act};
      if (now - begin < ${measuredMs}) return requestAnimationFrame(step);
      times.sort((a, b) => a - b);
      resolve({ frames: times.length, median: times[times.length >> 1], longest: times.at(-1) });
    };
    requestAnimationFrame(step);
  })`);

describe.skipIf(reason)(`large clusters in the console${reason ? `: ${reason}` : ''}`, () => {
  let source: ConsoleSource;
  let browser: Browser;

  beforeEach(async () => {
    browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  });
  afterEach(async () => {
    await browser?.close();
    await source?.stop();
  });

  const open = async (pods: number, to: string, options: object = {}): Promise<Visitor> => {
    source = new ConsoleSource({ nodes: 200, pods, changesPerSecond: 100 });
    const visitor = await visit(browser, await source.start(), options);
    await visitor.page.locator('.sidebar').waitFor({ state: 'attached' });
    await visitor.go(to);
    return visitor;
  };

  test('the map of 10,000 pods is drawn at once, moves, and leads to pods', async () => {
    const visitor = await open(10_000, '/map');
    const { page } = visitor;
    await page.getByText('200 nodes, 10000 pods').waitFor();
    await page.getByRole('button', { name: /In trouble \d+/ }).waitFor();
    const box = await page.locator('.map-box').boundingBox();
    if (!box) throw new Error('there is no map');
    await visitor.picture('map');
    expect(await visitor.barriers()).toEqual([]);
    const before = source.changed;
    const measuring = measure(visitor);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let i = 0; i < 40; i++) await page.mouse.move(x + Math.sin(i / 4) * 90, y + Math.cos(i / 4) * 60);
    await page.mouse.up();
    const { median, longest } = await measuring;
    expect(source.changed - before).toBeGreaterThan(100);
    expect(median).toBeLessThan(100);
    expect(longest).toBeLessThan(1_500);

    await page.locator('.map-box').focus();
    for (let i = 0; i < 8; i++) await page.keyboard.press('+');
    await visitor.picture('map-zoomed');
    await page.keyboard.press('0');
    // Somewhere near the middle there is a pod.
    const tip = page.locator('.map-tip', { has: page.locator('.pill') });
    let at = { x, y };
    for (let i = 0; i < 60 && (await tip.count()) === 0; i++) {
      at = { x: x + i * 3, y: y + i * 2 };
      await page.mouse.move(at.x, at.y);
    }
    const name = (await tip.locator('strong').textContent()) ?? '';
    await page.mouse.click(at.x, at.y);
    await page.waitForURL(new RegExp(`/${name}$`));
    expect(visitor.faults).toEqual([]);
  });

  test('the map as a list, for the keyboard, in the dark, on a phone', async () => {
    const visitor = await open(2_000, '/map', { colorScheme: 'dark', viewport: { width: 390, height: 800 } });
    const { page } = visitor;
    await page.getByText('200 nodes, 2000 pods').waitFor();
    await visitor.picture('map-phone');
    await page.getByRole('searchbox', { name: 'Search pods' }).fill('pod-000007');
    await page.getByRole('button', { name: 'List' }).press('Enter');
    const node = page.locator('.map-node');
    await expect.poll(() => node.count()).toBe(1);
    await node.locator('summary').press('Enter');
    await page.getByRole('link', { name: 'pod-000007' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    expect(await visitor.barriers()).toEqual([]);
    await page.getByRole('link', { name: 'pod-000007' }).press('Enter');
    await page.waitForURL(/\/object\/pods\/default\/pod-000007$/);
    expect(visitor.faults).toEqual([]);
  });

  test('100,000 rows scroll, and draw the visible ones alone', async () => {
    const visitor = await open(100_000, '/list/pods');
    const { page } = visitor;
    await page.getByText('100000', { exact: true }).waitFor({ timeout: 40_000 });
    const rows = () => page.locator('.table-row').count();
    expect(await rows()).toBeLessThan(60);
    const { median, longest } = await measure(visitor, `document.querySelector('.table').scrollTop += 100`);
    expect(median).toBeLessThan(150);
    expect(longest).toBeLessThan(2_000);
    expect(await rows()).toBeLessThan(60);
    await page.locator('.table').focus();
    await page.keyboard.press('End');
    await page.getByRole('link', { name: 'pod-099999' }).waitFor();
    await page.getByRole('searchbox', { name: 'Filter' }).fill('pod-05432');
    await page.getByRole('link', { name: 'pod-054321' }).waitFor();
    await expect.poll(rows).toBe(10);
    await visitor.picture('list-large');
    expect(visitor.faults).toEqual([]);
  }, 60_000);
});
