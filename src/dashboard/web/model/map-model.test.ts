import { expect, test } from 'vitest';
import { cellPoint, layoutOf, type MapPod } from './map-layout.ts';
import { dimmed, MapModel } from './map-model.ts';

const pod = (name: string, node: string, tone: MapPod['tone'] = 'ok'): MapPod => ({
  ...{ key: name, namespace: 'default', name, node, tone },
  status: tone,
});
const nodes = ['a', 'b', 'c'];
const update = (model: MapModel, pods: readonly MapPod[]) => model.update({ pods, nodes, aspect: 1.6 });
const placeOf = (model: MapModel, name: string) => {
  for (const tile of model.layout.tiles)
    for (const { pod, point } of model.inTile(tile)) if (pod.name === name) return { tile: tile.name, ...point };
  return undefined;
};
const drawn = (model: MapModel) => model.cells.filter((cell) => cell > 0).length;

test('pods are in the tiles of their nodes, and keep their cells', () => {
  const model = new MapModel();
  expect(update(model, [pod('1', 'a'), pod('2', 'a'), pod('3', 'b')])).toBe(true);
  expect(model.layout.tiles.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  const before = placeOf(model, '2');
  expect(before?.tile).toBe('a');
  // 1 goes, 4 takes its cell, 2 changes its colour.
  const first = placeOf(model, '1');
  expect(update(model, [pod('2', 'a', 'bad'), pod('3', 'b'), pod('4', 'a')])).toBe(false);
  expect(placeOf(model, '2')).toEqual(before);
  expect(placeOf(model, '4')).toEqual(first);
  expect(placeOf(model, '1')).toBeUndefined();
  expect([drawn(model), model.size]).toEqual([3, 3]);
  const target = before && model.at({ x: before.x + 1, y: before.y + 1 });
  expect(target).toMatchObject({ type: 'pod', pod: { name: '2', tone: 'bad' } });
});

test('a pod that gets a node moves from the waiting ones to its tile', () => {
  const model = new MapModel();
  update(model, [pod('1', ''), pod('2', '')]);
  expect(model.layout.tiles[0].name).toBe('');
  expect(update(model, [pod('1', 'c'), pod('2', '')])).toBe(false);
  expect([placeOf(model, '1')?.tile, placeOf(model, '2')?.tile]).toEqual(['c', '']);
  expect([drawn(model), model.size]).toEqual([2, 2]);
});

test('the tiles grow when pods do not fit, and for nodes that appear', () => {
  const model = new MapModel();
  update(model, []);
  const many = Array.from({ length: 200 }, (_, i) => pod(String(i), 'a'));
  expect(update(model, many)).toBe(true);
  expect(drawn(model)).toBe(200);
  expect(model.update({ pods: [...many, pod('x', 'new')], nodes, aspect: 1 })).toBe(true);
  expect(placeOf(model, 'x')?.tile).toBe('new');
});

test('the pod or the node under the pointer', () => {
  const model = new MapModel();
  update(model, [pod('1', 'b')]);
  const [a] = model.layout.tiles;
  expect(model.at({ x: a.x + 2, y: a.y + 2 })).toEqual({ type: 'node', name: 'a' });
  expect(model.at({ x: -5, y: 0 })).toBeUndefined();
  expect(model.at({ x: 1e6, y: 1e6 })).toBeUndefined();
});

test('another shape of the picture is another layout; names are in the order of their numbers', () => {
  const model = new MapModel();
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
  expect(model.update({ pods: [], nodes: names, aspect: 4 })).toBe(true);
  expect(model.layout.tiles.map(({ name }) => name)).toEqual(names);
  const { width } = model.layout;
  expect(model.update({ pods: [], nodes: names, aspect: 3.8 })).toBe(false);
  expect(model.update({ pods: [], nodes: names, aspect: 0.5 })).toBe(true);
  expect(model.layout.width).toBeLessThan(width);
});

test('pods that are not sought step back', () => {
  const model = new MapModel();
  update(model, [pod('1', 'a'), pod('2', 'b')]);
  model.highlight(({ name }) => name === '1');
  const dims = () => model.cells.filter((cell) => cell >= dimmed).length;
  expect(dims()).toBe(1);
  update(model, [pod('1', 'a'), pod('2', 'b'), pod('3', 'b')]);
  expect(dims()).toBe(2);
  model.highlight(undefined);
  expect(dims()).toBe(0);
});

test('all tiles and cells are inside of the map, and apart', () => {
  const { tiles, width, height, cells } = layoutOf(
    Array.from({ length: 57 }, (_, i) => ({ name: `n${i}`, pods: i })),
    40,
    1.5,
  );
  expect(tiles.reduce((sum, { capacity }) => sum + capacity, 0)).toBe(cells);
  const ends = tiles.map((tile) => {
    const { x, y } = cellPoint(tile, tile.capacity - 1);
    expect([x + 10 <= tile.x + tile.width, y + 10 <= tile.y + tile.height]).toEqual([true, true]);
    return { x: tile.x + tile.width, y: tile.y + tile.height };
  });
  expect([Math.max(...ends.map(({ x }) => x)), Math.max(...ends.map(({ y }) => y))]).toEqual([width, height]);
  const isApart = (a: (typeof tiles)[0], b: (typeof tiles)[0]) =>
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
  for (const [i, a] of tiles.entries()) for (const b of tiles.slice(i + 1)) expect(isApart(a, b)).toBe(true);
});

test('one change among 10,000 pods costs a fraction of a frame', () => {
  const model = new MapModel();
  const names = Array.from({ length: 200 }, (_, i) => `node-${i}`);
  const pods = Array.from({ length: 10_000 }, (_, i) => pod(`pod-${i}`, names[i % 200]));
  model.update({ pods, nodes: names, aspect: 1.6 });
  const times = Array.from({ length: 20 }, (_, i) => {
    pods[i] = pod(`pod-${i}`, names[i], 'bad');
    pods[i + 500] = pod(`fresh-${i}`, names[i + 100]);
    const beginMs = performance.now();
    model.update({ pods, nodes: names, aspect: 1.6 });
    return performance.now() - beginMs;
  });
  expect(drawn(model)).toBe(10_000);
  // Other programs of the machine disturb the longer ones.
  expect(Math.min(...times)).toBeLessThan(16);
});

test('single changes: colours, arrivals and departures, and those that do not fit', () => {
  const model = new MapModel();
  update(model, [pod('1', 'a'), pod('2', 'a')]);
  const changes = [
    { key: '1', pod: undefined },
    { key: '2', pod: pod('2', 'b', 'bad') },
    { key: '3', pod: pod('3', 'a') },
  ];
  expect(model.change(changes)).toBe(true);
  expect(placeOf(model, '1')).toBeUndefined();
  expect(placeOf(model, '2')?.tile).toBe('b');
  expect(placeOf(model, '3')?.tile).toBe('a');
  expect([drawn(model), model.size]).toEqual([2, 2]);
  expect(model.change([{ key: 'x', pod: pod('x', 'unknown') }])).toBe(false);
  expect(update(model, [pod('2', 'b'), pod('3', 'a'), pod('x', 'unknown')])).toBe(true);
  expect([drawn(model), model.size]).toEqual([3, 3]);
});
