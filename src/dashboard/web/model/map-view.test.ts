import { expect, test } from 'vitest';
import { fitted, moved, toMap, zoomed } from './map-view.ts';

const map = { width: 1_000, height: 500 };
const picture = { width: 532, height: 432 };

test('all of the map is in the picture', () => {
  const view = fitted(map, picture);
  expect(view.scale).toBe(0.5);
  expect(toMap(view, { x: 16, y: 216 })).toEqual({ x: 0, y: 250 });
  expect(fitted({ width: 10, height: 10 }, picture).scale).toBe(2.5);
  expect(fitted({ width: 0, height: 0 }, picture).scale).toBe(1);
});

test.each([2, 0.7, 1e6, 1e-6])('the place under the pointer stays when the view is zoomed by %d', (factor) => {
  const view = fitted(map, picture);
  const at = { x: 100, y: 77 };
  const next = zoomed(view, factor, at, view.scale);
  expect(next.scale).toBeGreaterThanOrEqual(0.25);
  expect(next.scale).toBeLessThanOrEqual(9);
  const [before, after] = [toMap(view, at), toMap(next, at)];
  expect([after.x, after.y]).toEqual([expect.closeTo(before.x), expect.closeTo(before.y)]);
});

test('the map does not leave the picture', () => {
  const view = fitted(map, picture);
  const right = moved(view, { x: 1e5, y: 0 }, map, picture);
  const left = moved(view, { x: -1e5, y: -1e5 }, map, picture);
  expect(right.x).toBeLessThan(picture.width);
  expect(left.x + map.width * left.scale).toBeGreaterThan(0);
  expect(left.y + map.height * left.scale).toBeGreaterThan(0);
});
