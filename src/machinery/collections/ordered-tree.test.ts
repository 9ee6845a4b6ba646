import { describe, expect, test } from 'vitest';
import { seededRandom } from '../random.ts';
import { OrderedTree } from './ordered-tree.ts';

const keysOf = (tree: OrderedTree<number>, start = '', end = '\uffff') => {
  const keys: string[] = [];
  tree.forEach(start, end, (_, key) => void keys.push(key));
  return keys;
};

describe('OrderedTree', () => {
  test.each([1, 2, 3])('equals a sorted map, and old snapshots do not change (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const model = new Map<string, number>();
    const tree = new OrderedTree<number>();
    const snapshots: { tree: OrderedTree<number>; keys: string[] }[] = [];
    for (let step = 0; step < 5_000; step++) {
      const key = `k${random.int(1_500)}`;
      if (random.int(3) === 0) {
        model.delete(key);
        tree.remove(key);
      } else {
        model.set(key, step);
        tree.set(key, step);
      }
      if (step % 500 === 0) snapshots.push({ tree: tree.snapshot(), keys: [...model.keys()].sort() });
    }
    const sorted = [...model.keys()].sort();
    expect(keysOf(tree)).toEqual(sorted);
    expect(tree.size).toBe(sorted.length);
    expect(keysOf(tree, 'k3', 'k7')).toEqual(sorted.filter((key) => key >= 'k3' && key < 'k7'));
    expect(tree.count('k3', 'k7')).toBe(sorted.filter((key) => key >= 'k3' && key < 'k7').length);
    const between = sorted.filter((key) => key >= 'k3' && key < 'k7').map((key) => model.get(key));
    expect(tree.range('k3', 'k7')).toEqual(between);
    expect(tree.range('k3', 'k7', 2)).toEqual(between.slice(0, 2));
    expect([tree.range('k3', 'k7', 0), tree.range('k7', 'k3'), tree.count('k7', 'k3')]).toEqual([[], [], 0]);
    for (let i = 0; i < 1_500; i++) expect(tree.get(`k${i}`)).toBe(model.get(`k${i}`));
    for (const snapshot of snapshots) expect(keysOf(snapshot.tree)).toEqual(snapshot.keys);
  });

  test('a snapshot may be changed independently', () => {
    const tree = new OrderedTree<number>();
    for (let i = 0; i < 500; i++) tree.set(String(i).padStart(3, '0'), i);
    const copy = tree.snapshot();
    copy.remove('007');
    tree.remove('008');
    expect([tree.size, copy.size]).toEqual([499, 499]);
    expect(keysOf(tree, '007', '009')).toEqual(['007']);
    expect(keysOf(copy, '007', '009')).toEqual(['008']);
  });

  test('is empty when all keys are deleted, and can be filled again', () => {
    const tree = new OrderedTree<number>();
    for (let i = 0; i < 5_000; i++) tree.set(String(i), i);
    for (let i = 0; i < 5_000; i++) tree.remove(String(i));
    expect(tree.size).toBe(0);
    tree.set('a', 1);
    expect(keysOf(tree)).toEqual(['a']);
  });

  test('stops when the visitor returns false', () => {
    const tree = new OrderedTree<number>();
    for (let i = 0; i < 200; i++) tree.set(String(i).padStart(3, '0'), i);
    const seen: number[] = [];
    tree.forEach('050', '150', (value) => seen.push(value) < 3);
    expect(seen).toEqual([50, 51, 52]);
  });
});
