import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const page = Object.assign(new EventTarget(), { hidden: false });
vi.stubGlobal('document', page);
vi.useFakeTimers();
vi.resetModules();
const { whileVisible } = await import('./poll.ts');
vi.unstubAllGlobals();

let reads = 0;
let stop: () => void;
const show = (isShown: boolean) => {
  page.hidden = !isShown;
  page.dispatchEvent(new Event('visibilitychange'));
};
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.stubGlobal('document', page);
  vi.useFakeTimers();
  page.dispatchEvent(new Event('pointermove'));
  reads = 0;
  stop = whileVisible(1_000, async () => {
    reads++;
  });
});
afterEach(() => {
  stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a visible page reads again and again, until it ends', async () => {
  expect(reads).toBe(1);
  await pass(3_500);
  expect(reads).toBe(4);
  stop();
  await pass(5_000);
  expect(reads).toBe(4);
});

test('a hidden page reads nothing, and at once when it is shown', async () => {
  show(false);
  await pass(10_000);
  expect(reads).toBe(1);
  show(true);
  expect(reads).toBe(2);
});

test('an untouched page reads seldom, and at once when it is touched', async () => {
  await pass(70_000);
  const before = reads;
  await pass(20_000);
  expect(reads - before).toBe(5);
  page.dispatchEvent(new Event('keydown'));
  expect(reads - before).toBe(6);
  await pass(3_500);
  expect(reads - before).toBe(9);
});
