import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Hub } from './hub.ts';
import type { FromWorker } from './protocol.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a page that was silent for long opens its feeds again', () => {
  const hub = new Hub('/console/api');
  const got: FromWorker[] = [];
  const port = { postMessage: (message: FromWorker) => void got.push(message) };
  hub.receive(port, { type: 'hello', key: 'k' });
  vi.advanceTimersByTime(2 * 60_000);
  hub.receive(port, { type: 'alive' });
  expect(got).toEqual([]);
  vi.advanceTimersByTime(10 * 60_000);
  hub.receive(port, { type: 'alive' });
  expect(got).toEqual([{ type: 'forgotten' }]);
  hub.receive(port, { type: 'alive' });
  expect(got).toHaveLength(1);
});
